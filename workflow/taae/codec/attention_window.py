"""What a sliding window sees: the arithmetic, without a tensor."""

from __future__ import annotations

from taae.utils.errors import TaaeError


def window_sides(window: int, causal: bool) -> tuple[int, int]:
    """Return how many keys a query sees to its left and to its right, itself not counted.

    Non-causal windows are flash-attention's [W/2 - 1, W/2], the paper's; causal ones [W - 1, 0].
    """
    if causal:
        return window - 1, 0
    if window % 2:
        raise TaaeError(
            f"attention.window: {window} is impossible without causal: W/2 - 1 keys lie to the"
            f" left and W/2 to the right, so W is even"
        )
    return window // 2 - 1, window // 2


def removed_share(frames: int, window: int, causal: bool) -> float:
    """Return the share of the pairs of full attention that the window removes.

    A causal model has full attention without look-ahead. 0 means that the window removes nothing
    at this length.
    """
    left, right = window_sides(window, causal)
    seen = sum(min(query, left) + 1 + min(frames - 1 - query, right) for query in range(frames))
    return 1.0 - seen / (frames * (frames + 1) // 2 if causal else frames**2)
