"""The metrics told to people: a list, one in full, and the table of docs/metrics.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from taae.evaluation.metrics import METRICS, Metric

WIDTH = 100
ANY = (
    "missing, unreadable, sample_rate, channels, len_mismatch: the files do not pair;"
    " nonfinite: NaN or infinity; silent_deg{reference}: no sound; too_short: no samples;"
    " crash: the library raised an error"
)


def listing() -> str:
    """Return a paragraph for each metric: what it is, needs, costs and is good for."""
    return "\n".join(
        f"{metric.name}  {metric.heading}\n"
        + _wrapped(f"{metric.definition}. Good for: {metric.use}. {_cost(metric)}")
        for metric in METRICS.values()
    )


def description(metric: Metric) -> str:
    """Return everything that is known of one metric."""
    facts = {
        "definition": metric.definition,
        "good for": metric.use,
        "better": "higher" if metric.better > 0 else "lower",
        "unit": metric.unit or "none",
        "settings": metric.settings,
        "source": metric.source,
        "needs": metric.needs or "nothing more",
        "costs": _cost(metric),
        "no value": "; ".join(_statuses(metric)),
    }
    lines = [textwrap.fill(f"{name}: {fact}", WIDTH, subsequent_indent="  ")
             for name, fact in facts.items()]  # fmt: skip
    return "\n".join([metric.heading, *lines])


def markdown() -> str:
    """Return the table of docs/metrics.md."""
    rows = [
        f"| `{metric.name}` | {metric.arrow} | {metric.definition} | {metric.use} |"
        f" {metric.needs} | {_rate(metric)} |"
        for metric in METRICS.values()
    ]
    head = "| metric | better | definition | good for | needs | audio-s per CPU-s |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _statuses(metric: Metric) -> Iterator[str]:
    if metric.rated:
        yield "an utterance that no listener rated"
        return
    yield ANY.format(reference=", silent_ref" if metric.intrusive else "")
    if metric.missing:
        yield metric.missing


def _cost(metric: Metric) -> str:
    if metric.rated:
        return f"Needs {metric.needs}."
    words = f"Needs {metric.needs}. " if metric.needs else ""
    if metric.rate is None:
        return f"{words}Cost not measured."
    return f"{words}Scores {metric.rate:,.0f} s of audio per CPU second."


def _rate(metric: Metric) -> str:
    return "" if metric.rate is None else f"{metric.rate:,.0f}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
