"""Which utterances are heard: drawn, never picked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def choose(speakers: Mapping[str, str], count: int, seed: int) -> list[str]:
    """Return `count` utterances of a map from utterance to speaker, or all where it has fewer.

    No speaker is heard again before all others were. The order of the map has no effect, and a
    larger count adds utterances to those of a smaller one.
    """
    draw = np.random.default_rng(seed)
    names = sorted(set(speakers.values()))
    own = {name: sorted(each for each in speakers if speakers[each] == name) for name in names}
    lines = [list(draw.permutation(own[name])) for name in draw.permutation(names)]
    longest = max(map(len, lines), default=0)
    rounds = [[line[place] for line in lines if place < len(line)] for place in range(longest)]
    return [str(name) for each in rounds for name in each][:count]
