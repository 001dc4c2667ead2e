"""What a bad channel does to codes (frames, columns): wrong levels, lost frames.

Everything is drawn by (seed, kind, utterance) alone. So arms whose codes have one shape get the
same errors, and a code that is wrong at a low rate is wrong at every higher one: all is paired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from taae.codec.bitstream.entropy_model import Codes
from taae.evaluation.robustness.config import NEIGHBOUR


def draws(seed: int, kind: str, utterance: str) -> np.random.Generator:
    """Return the generator of one kind of draws for one utterance."""
    name = hashlib.sha256(f"{kind}/{utterance}".encode()).digest()[:16]
    return np.random.default_rng([seed, int.from_bytes(name, "big")])


def flipped(
    codes: Codes, levels: Sequence[int], rate: float, to: str, random: np.random.Generator
) -> Codes:
    """Return codes, each changed with probability `rate`.

    Args:
        codes: (frames, columns).
        levels: of each column, at least 2.
        rate: 0 .. 1.
        to: "neighbour", one level up or down at random and inwards from the ends; or "random", any
            other level.
        random: fresh from `draws`; both kinds then change the same codes.
    """
    wrong, which = random.random((2, *codes.shape))
    most = np.array(levels) - 1
    if to == NEIGHBOUR:
        up = np.where(codes == 0, True, np.where(codes == most, False, which < 0.5))
        other = codes + np.where(up, 1, -1)
    else:
        other = (codes + 1 + (which * most).astype(int)) % (most + 1)
    return np.where(wrong < rate, other, codes).astype(codes.dtype)


def concealed(codes: Codes, share: float, burst: int, random: np.random.Generator) -> Codes:
    """Return codes with lost frames replaced by the last one that arrived.

    Bursts lie side by side from the start, each lost with probability `share`. Where the first ones
    are lost, the first frame that arrives stands for them; one burst always arrives.

    Args:
        codes: (frames, columns).
        share: 0 .. 1.
        burst: frames.
        random: fresh from `draws`.
    """
    frames = np.arange(len(codes))
    fates = random.random(-(-len(codes) // burst))
    arrived = (fates >= min(share, fates.max()))[frames // burst]
    last = np.maximum.accumulate(np.where(arrived, frames, -1))
    return codes[np.where(last < 0, arrived.argmax(), last)]


def share_changed(codes: Codes, others: Codes) -> float:
    """Return the share of codes that differ between two arrays of one shape."""
    return float((codes != others).mean())
