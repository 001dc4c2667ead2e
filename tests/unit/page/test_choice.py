"""The draw of utterances: by the seed alone, over as many speakers as there are."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from taae.page.choice import choose

SPEAKERS = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.sampled_from("xyz"))


@given(SPEAKERS, st.integers(0, 12), st.integers(0, 99), st.randoms())
def test_the_draw(speakers: dict[str, str], count: int, seed: int, shuffle: object) -> None:
    found = choose(speakers, count, seed)
    assert len(set(found)) == len(found) == min(count, len(speakers))
    assert set(found) <= set(speakers)
    # No speaker is ahead of another by more than one, unless that one has no more utterances.
    heard, there = Counter(speakers[name] for name in found), Counter(speakers.values())
    for one in there:
        assert all(heard[one] + 1 >= heard[other] for other in there) or heard[one] == there[one]
    items = list(speakers.items())
    shuffle.shuffle(items)  # type: ignore[attr-defined]
    assert choose(dict(items), count, seed) == found
    assert choose(speakers, count + 3, seed)[:count] == found


def test_seeds_draw_differently() -> None:
    speakers = {f"{number:02d}": str(number % 8) for number in range(40)}
    draws = {tuple(choose(speakers, 4, seed)) for seed in range(50)}
    assert len(draws) > 40
    assert len({name for draw in draws for name in draw}) > 35
