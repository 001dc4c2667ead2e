"""What readers of the summary are told of the recogniser: where it is no judge, where it loops."""

from __future__ import annotations

import pandas as pd

from taae.evaluation.metrics import LEFT_OUT, METRICS, Status


def remarks(scores: pd.DataFrame) -> list[str]:
    """Return sentences on the metrics that are left out, and on values that are capped."""
    left_out: dict[str, list[str]] = {}
    found = []
    for metric, rows in scores.groupby("metric", sort=False):
        label, without = METRICS[str(metric)].label, rows[rows["status"].isin(LEFT_OUT)]
        if len(without) == len(rows):
            left_out.setdefault(str(without["message"].iloc[0]), []).append(label)
        elif len(without):
            n_utterances = without["utterance"].nunique()
            found.append(f"{label} is without {n_utterances} utterances: see failures.csv.")
        loops = rows.loc[rows["status"] == Status.HALLUCINATION, "variant"].value_counts(sort=False)
        if len(loops):
            counts = ", ".join(f"{variant} {n}" for variant, n in loops.items())
            found.append(f"{label} where the recogniser loops, capped at 1 and counted: {counts}.")
    return [f"Left out: {', '.join(names)}: {why}." for why, names in left_out.items()] + found
