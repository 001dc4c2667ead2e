"""Post-screening of the listeners of a MUSHRA test, after ITU-R BS.1534-3, 4.1.2."""

from __future__ import annotations

import pandas as pd

from taae.listening.design import HIDDEN, MID_ANCHOR

GOOD = 90  # what a hidden reference should get, and an anchor should not
MOST = 0.15  # largest share of items at which a listener may go wrong
UNFIT = 0.25  # share of listeners from which on an item's anchor is too good to judge them by
COLUMNS = ["test", "listener", "items", "reference_below", "anchor_above", "excluded", "reason"]


def screen(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return a row per listener: the shares of items that they got wrong, and whether they stay.

    A listener who rates the hidden reference below 90 at more than 15 % of the items is excluded,
    and one who rates the mid anchor above 90 at more than 15 %. An item whose mid anchor more than
    a quarter of the listeners rate above 90 was hardly degraded by it, and does not count for that.

    Args:
        ratings: columns test, listener, trial, arm and value of a MUSHRA test.
    """
    rows = []
    for (test, listener), own in ratings.groupby(["test", "listener"]):
        everyone = ratings[ratings["test"] == test]
        reference = own.loc[own["arm"] == HIDDEN, "value"] < GOOD
        anchors = everyone[everyone["arm"] == MID_ANCHOR]
        share = (anchors["value"] > GOOD).groupby(anchors["trial"]).mean()
        too_good = share.index[share > UNFIT]
        judged = own[(own["arm"] == MID_ANCHOR) & ~own["trial"].isin(too_good)]
        shares = {
            "reference_below": float(reference.mean()),
            "anchor_above": float((judged["value"] > GOOD).mean()) if len(judged) else 0.0,
        }
        said = {
            "reference_below": f"hidden reference below {GOOD}",
            "anchor_above": f"mid anchor above {GOOD}",
        }
        why = [
            f"{said[name]} at {share:.0%} of the items"
            for name, share in shares.items()
            if share > MOST
        ]
        row = {"test": test, "listener": listener, "items": own["trial"].nunique(), **shares}
        rows.append(row | {"excluded": bool(why), "reason": "; ".join(why)})
    return pd.DataFrame(rows, columns=COLUMNS)
