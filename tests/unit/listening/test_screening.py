"""Post-screening after BS.1534-3 against cases counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from taae.listening.screening import screen


def panel(**listeners: tuple[Sequence[int], Sequence[int]]) -> pd.DataFrame:
    """Ratings of hidden reference and mid anchor by listener, one of each per item."""
    rows = []
    for listener, (reference, anchor) in listeners.items():
        for item, values in enumerate(zip(reference, anchor, strict=True)):
            for arm, value in zip(("hidden_reference", "anchor_7000"), values, strict=True):
                rows.append(
                    {"test": "t", "listener": listener, "trial": item, "arm": arm, "value": value}
                )
    return pd.DataFrame(rows)


def excluded(ratings: pd.DataFrame) -> dict[str, str]:
    table = screen(ratings)
    return dict(zip(table["listener"], table["reason"], strict=True))


def test_a_hidden_reference_below_90_at_more_than_15_percent_of_items() -> None:
    fine = [100] * 20
    low = [50] * 20
    found = excluded(
        panel(
            three=([89] * 3 + [90] * 17, low),  # 15 % exactly
            four=([89] * 4 + [90] * 16, low),  # 20 %
            fine=(fine, low),
        )
    )
    assert found == {
        "three": "",
        "four": "hidden reference below 90 at 20% of the items",
        "fine": "",
    }


def test_a_mid_anchor_above_90_at_more_than_15_percent_of_items() -> None:
    fine = [100] * 10
    low = [90] * 10  # not above
    found = excluded(
        panel(
            one=(fine, [91] + [50] * 9),
            two=(fine, [50] * 8 + [91] * 2),
            a=(fine, low),
            b=(fine, low),
            c=(fine, low),
        )
    )
    assert found["two"] == "mid anchor above 90 at 20% of the items"
    assert [name for name, why in found.items() if why] == ["two"]


def test_an_anchor_that_a_quarter_of_the_listeners_find_excellent_judges_none() -> None:
    fine = [100] * 4
    good = [95, 95, 50, 50]  # at two of four items
    bad = [50] * 4
    # One of four listeners is a quarter, not more: the items count.
    table = screen(panel(a=(fine, good), b=(fine, bad), c=(fine, bad), d=(fine, bad)))
    assert table.set_index("listener")["anchor_above"].to_dict() == {
        "a": 0.5,
        "b": 0,
        "c": 0,
        "d": 0,
    }
    assert table["excluded"].tolist() == [True, False, False, False]
    # One of three is more.
    table = screen(panel(a=(fine, good), b=(fine, bad), c=(fine, bad)))
    assert table["anchor_above"].tolist() == [0, 0, 0]
    assert not table["excluded"].any()


def test_both_reasons_are_told() -> None:
    table = screen(panel(a=([10], [95]), b=([100], [1]), c=([100], [1]), d=([100], [1])))
    assert table.loc[0, "reason"] == (
        "hidden reference below 90 at 100% of the items; mid anchor above 90 at 100% of the items"
    )
    assert table["items"].tolist() == [1] * 4
