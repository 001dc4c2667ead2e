"""What a sliding window sees: the arithmetic, without a tensor."""

from __future__ import annotations

from taae.utils.errors import TaaeError


def window_sides(window: int, causal: bool) -> tuple[int, int]:
    """Return how many keys a query sees to its left and to its right, itself not counted.

    Non-causal windows are flash-attention's [W/2 - 1, W/2], the paper's; causal ones [W - 1, 0].
    """
    if causal:
        if window < 1:
            raise TaaeError(f"attention.window: {window} sees nothing; the least is 1")
        return window - 1, 0
    if window < 2 or window % 2:
        raise TaaeError(
            f"attention.window: {window} is impossible without causal: W/2 - 1 keys lie to the"
            f" left and W/2 to the right, so W is even and at least 2"
        )
    return window // 2 - 1, window // 2


def visible_pairs(frames: int, left: int, right: int) -> int:
    """Count the (query, key) pairs of a sequence of `frames` that a window lets through."""

    def side(reach: int) -> int:
        # Query i sees min(i, reach) keys on that side; summed over i in closed form.
        reach = min(reach, frames - 1)
        return reach * (reach + 1) // 2 + (frames - 1 - reach) * reach

    return frames + side(left) + side(right) if frames else 0


def removed_share(frames: int, window: int, causal: bool) -> float:
    """Return the share of the pairs of full attention that the window removes.

    A causal model has full attention without look-ahead. 0 means that the window removes nothing
    at this length.
    """
    full = frames * (frames + 1) // 2 if causal else frames**2
    left, right = window_sides(window, causal)
    return 1.0 - visible_pairs(frames, left, right) / full
