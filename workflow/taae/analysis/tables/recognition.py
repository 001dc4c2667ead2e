"""What readers of the summary are told of the recogniser: where it is no judge, where it loops."""

from __future__ import annotations

import pandas as pd

from taae.evaluation.metrics import LEFT_OUT, METRICS, Status


def remarks(scores: pd.DataFrame) -> list[str]:
    """Return sentences on the metrics that are left out, and on values that are capped."""
    found = []
    for metric, rows in scores.groupby("metric", sort=False):
        label, without = METRICS[str(metric)].label, rows[rows["status"].isin(LEFT_OUT)]
        if len(without) == len(rows):
            found.append(f"{label} is left out: {without['message'].iloc[0]}.")
        elif len(without):
            n_utterances = without["utterance"].nunique()
            found.append(f"{label} is without {n_utterances} utterances: see failures.csv.")
        loops = rows.loc[rows["status"] == Status.HALLUCINATION, "variant"].value_counts(sort=False)
        if len(loops):
            counts = ", ".join(f"{variant} {n}" for variant, n in loops.items())
            found.append(f"{label} where the recogniser loops, capped at 1 and counted: {counts}.")
    return found
