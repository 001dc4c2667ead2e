"""Orders of trials and signals: the listener's own, the same again, and all equally likely."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from taae.listening.order import checksum, hash64, shuffled

NAMES = ["s1", "s2", "s3", "s4", "s5"]


@given(st.lists(st.text(), unique=True), st.text(), st.text())
def test_an_order_has_every_name_once_and_is_the_same_again(
    names: list[str], test: str, listener: str
) -> None:
    order = shuffled(names, test, listener)
    assert sorted(order) == sorted(names)
    assert order == shuffled(reversed(names), test, listener)


def test_every_order_is_equally_likely_over_listeners_and_trials() -> None:
    names = NAMES[:4]
    for seeds in (
        [("test", f"p{number:02d}", "trial") for number in range(2400)],
        [("test", "p01", f"trial{number}") for number in range(2400)],
    ):
        counts = Counter(tuple(shuffled(names, *seed)) for seed in seeds)
        assert len(counts) == 24
        assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_the_orders_of_two_trials_are_independent() -> None:
    pairs = Counter(
        (
            shuffled(NAMES[:3], "test", f"p{number}", "a")[0],
            shuffled(NAMES[:3], "test", f"p{number}", "b")[0],
        )
        for number in range(1800)
    )
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3
    assert len(pairs) == 9


def test_the_hash_is_fnv_1a_before_it_is_mixed() -> None:
    """Published test vectors of FNV-1a 64, through MurmurHash3's finaliser written out."""
    for text, known in (
        ("", 0xCBF29CE484222325),
        ("a", 0xAF63DC4C8601EC8C),
        ("foobar", 0x85944171F73967E8),
    ):
        value = known
        value ^= value >> 33
        value = value * 0xFF51AFD7ED558CCD % 2**64
        value ^= value >> 33
        value = value * 0xC4CEB9FE1A85EC53 % 2**64
        value ^= value >> 33
        assert hash64(text) == value
        assert checksum(text) == f"{value:016x}"
