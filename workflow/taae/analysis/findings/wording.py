"""Findings in words: a sentence per row that a reader may quote, a paragraph per ablation.

Every word is from a template and every number from a row; nothing says more than its row does.
"""

from __future__ import annotations

import math
from typing import Any, cast

import pandas as pd

from taae.analysis.findings.verdict import BETTER, EQUIVALENT, UNDETERMINED, WORSE
from taae.analysis.tables.comparisons import CONFIRMATORY, CONTROL
from taae.analysis.tables.factorial import INTERACTION
from taae.analysis.tables.robustness import ROBUSTNESS
from taae.codec.operating_points import NATIVE, point_label
from taae.corpus.config import MAIN
from taae.evaluation.metrics import METRICS
from taae.evaluation.robustness.conditions import condition_label
from taae.study.checks import changed_keys, value_at
from taae.study.config import Ablation
from taae.study.study import Study
from taae.study.trunk import moving

Row = dict[str, Any]
REPLICATE = "training.replicate"
MOST_KEYS = 3  # that a sentence names
MOST_LISTED = 3  # findings that a paragraph lists
MOST_SENTENCES = 8  # exploratory ones of an ablation in the document


def sentence(row: Row, study: Study) -> str:
    """Return a finding in words.

    Args:
        row: of `taae.analysis.findings.table`, without its sentence.
        study: tells what the variant changes.
    """
    interval = (
        f"{row['confidence']:.0%} interval {_signed(row, 'low')} to {_signed(row, 'high')},"
        f" {row['n_speakers']} speakers{_trainings(row)}"
    )
    if row["effect"] == ROBUSTNESS:
        worse = row["difference"] * METRICS[row["metric"]].better < 0
        return (
            f"{_subject(row, study)}: the change of {_label(row)} from clean speech is"
            f" {_number(row, abs(row['difference']))} {'worse' if worse else 'better'}"
            f" ({interval}), {_verdict(row)}; {_noise(row)}."
        )
    return (
        f"{_subject(row, study)}: {_label(row)} changes by {amount(row)} ({interval}),"
        f" {_verdict(row)}; {_noise(row)}."
    )


def paragraphs(findings: pd.DataFrame, study: Study) -> dict[str, str]:
    """Return a short paragraph for each ablation with findings, by its name."""
    found = {}
    for name in study.ablations:
        rows = cast("list[Row]", findings[findings["ablation"] == name].to_dict("records"))
        if rows:
            parts = [_confirmed(rows), _explored(rows), _crossed(rows)]
            parts += [_controls(rows), _hardened(rows), _moved(study.ablations[name], study)]
            found[name] = " ".join(filter(None, parts))
    return found


def headlines(findings: pd.DataFrame, study: Study) -> dict[str, str]:
    """Return the answer to each ablation in a sentence or two, by its name.

    It is the verdicts on the primary metric: confirmatory ones, then what is worse or better at
    other operating points, then the verdicts on each other test set, which are exploratory.
    """
    found = {}
    for name, ablation in study.ablations.items():
        mine = findings[(findings["ablation"] == name) & (findings["metric"] == ablation.primary)]
        rows = [
            row
            for row in cast("list[Row]", mine.to_dict("records"))
            if row["effect"] == "difference" and row["role"] != CONTROL
        ]
        native = [row for row in rows if row["role"] == CONFIRMATORY]
        away = [row for row in rows if row["point"] != NATIVE and row["verdict"] in (WORSE, BETTER)]
        told = [f"In {_label(native[0])}, {_by_verdict(native, study)}."] if native else []
        for point in dict.fromkeys(row["point"] for row in away):
            there = [row for row in away if row["point"] == point]
            told.append(f"At {point_label(point)} (exploratory), {_by_verdict(there, study)}.")
        for test in dict.fromkeys(row["test"] for row in rows if row["test"] != MAIN):
            there = [row for row in rows if row["test"] == test]
            told.append(f"On test set {test} (exploratory), {_by_verdict(there, study)}.")
        if told:
            found[name] = " ".join(told)
    return found


def _by_verdict(rows: list[Row], study: Study) -> str:
    parts = []
    for verdict in (WORSE, BETTER, EQUIVALENT, UNDETERMINED):
        arms = [
            f"{study.labels.get(row['variant'], row['variant'])} ({amount(row)}{_only(row)})"
            for row in rows
            if row["verdict"] == verdict
        ]
        within = f" within ±{_margin(rows[0])}" if verdict == EQUIVALENT else ""
        parts += [f"{verdict}{within}: {', '.join(arms)}"] if arms else []
    return "; ".join(parts)


def markdown(findings: pd.DataFrame, study: Study, bd_rates: pd.DataFrame | None = None) -> str:
    """Return the findings as a document: for each ablation its paragraph and its sentences.

    `bd_rates` is tables/bd-rate.csv, where the study has operating points.
    """
    parts = ["# Findings", _preface(findings, study)]
    heads, texts = headlines(findings, study), paragraphs(findings, study)
    for name, text in texts.items():
        rows = findings[findings["ablation"] == name]
        parts += [f"## {study.ablations[name].title}", heads.get(name, ""), text]
        if bd_rates is not None:
            mine = bd_rates[bd_rates["ablation"] == name]
            parts.append(bits_at_equal_quality(mine, study.ablations[name].primary))
        parts.append(_listed(rows, study))
    return "\n\n".join(filter(None, parts)) + "\n"


def bits_at_equal_quality(rows: pd.DataFrame, metric: str) -> str:
    """Return what an ablation's arms spend in coded files at equal quality by one metric, in words.

    Args:
        rows: of tables/bd-rate.csv.
    """
    here = (rows["metric"] == metric) & (rows["bits"] == "coded") & (rows["status"] == "ok")
    told = []
    for curve, arms in rows[here & ~rows["control"].astype(bool)].groupby("curve", sort=False):
        only = ", these checkpoints" if (arms["scope"] == "fixed checkpoint").any() else ""
        listed = "; ".join(
            f"{row['variant']} {row['bd_rate']:+.1f} % ({row['confidence']:.0%} interval"
            f" {row['low']:+.1f} to {row['high']:+.1f})"
            for row in cast("list[Row]", arms.to_dict("records"))
        )
        told.append(
            f"Bits of the coded files at equal {METRICS[metric].label}, over the points of curve"
            f" `{curve}` of bd-rate.csv (exploratory, not corrected{only}): {listed}."
        )
    return " ".join(told)


def _listed(rows: pd.DataFrame, study: Study) -> str:
    """Return confirmatory sentences, then controls on the primary metric, then the strongest."""
    primary = rows["metric"] == rows["ablation"].map(lambda name: study.ablations[name].primary)
    hard = rows["effect"] == ROBUSTNESS
    native = (rows["point"] == NATIVE) & (rows["test"] == MAIN) & ~hard
    differ = rows["verdict"].isin([WORSE, BETTER])
    confirmatory, control = rows["role"] == CONFIRMATORY, rows["role"] == CONTROL
    lines = rows[confirmatory]["sentence"].tolist()
    lines += rows[control & primary & native]["sentence"].tolist()
    lines += _strongest(rows[differ & ~confirmatory & ~control & ~hard])
    lines += _strongest(rows[differ & ~control & hard & primary], "under hard conditions ")
    lines = [f"- {each}" for each in lines]
    return "\n".join(lines)


def _strongest(rows: pd.DataFrame, where: str = "") -> list[str]:
    """Return the sentences with the least p, and how many more there are."""
    rows = rows.sort_values("p", kind="stable")
    more = len(rows) - MOST_SENTENCES
    told = [f"{more} more {where}are worse or better: findings.csv."] if more > 0 else []
    return [*rows[:MOST_SENTENCES]["sentence"], *told]


def _preface(findings: pd.DataFrame, study: Study) -> str:
    if findings.empty:
        return "No difference could be tested: see comparisons.csv."
    tests = ""
    if study.tests:
        tests = (
            f" There are {1 + len(study.tests)} test sets: {MAIN} (the corpus's own test split),"
            f" {', '.join(study.tests)}; what names none is of {MAIN}."
        )
    seeds = f"{len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}"
    return (
        f"{findings['n_speakers'].max()} speakers, {seeds}. A change is worse or better where its"
        " difference is not nil after Holm's correction, equivalent where it is shown to be within"
        " the margin of statistics.margins (two one-sided tests), else undetermined. Confirmatory"
        " are the primary metrics of the declared ablations; all else is exploratory, corrected"
        f" apart.{tests} findings.csv has every row."
    )


def change(variant: str, reference: str, study: Study) -> str:
    """Return in words what a variant changes against its reference."""
    one, other = study.variants[variant], study.variants[reference]
    keys = changed_keys(other, one)
    label = f"{study.labels[variant]}: " if variant in study.labels else ""
    if keys == [REPLICATE]:
        return "trained again by other draws"
    keys = [key for key in keys if key != REPLICATE]
    if len(keys) > MOST_KEYS:
        more = len(keys) - MOST_KEYS
        return f"{label}{', '.join(keys[:MOST_KEYS])} and {more} more keys changed"
    return label + ", ".join(
        f"{key} {value_at(one, key)} instead of {value_at(other, key)}" for key in keys
    )


def _subject(row: Row, study: Study) -> str:
    variant, reference = row["variant"], row["reference"]
    at = _where(row)
    if row["effect"] == INTERACTION:
        return f"Interaction of the crossed changes from {reference}, beyond the sum of both{at}"
    what = change(variant, reference, study)
    if row["effect"] not in ("difference", ROBUSTNESS):
        return f"{variant}, main effect ({what}){at}"
    control = "Control " if row["role"] == CONTROL else ""
    return f"{control}{variant} against {reference} ({what}){at}"


def _verdict(row: Row) -> str:
    exploratory = "" if row["role"] in (CONFIRMATORY, CONTROL) else "exploratory, "
    if row["verdict"] == EQUIVALENT:
        return (
            f"{exploratory}equivalent within ±{_margin(row)}"
            f" (two one-sided tests, p {_p(row['equivalence_p'])})"
        )
    if row["verdict"] == UNDETERMINED:
        return (
            f"{exploratory}undetermined: {_number(row, row['detectable'])} is what the study would"
            " show with a power of 80 %"
        )
    if row["role"] == CONTROL:
        return (
            f"{row['verdict']} (p {_p(row['p_adjusted'])}, Holm over {row['family_size']} tests)"
            " though nothing was changed: the study takes chance for an effect of this size"
        )
    return (
        f"{exploratory}{row['verdict']} (p {_p(row['p_adjusted'])}, Holm over"
        f" {row['family_size']} tests)"
    )


def _noise(row: Row) -> str:
    if row["scope"] == "checkpoints":
        return "too few runs tell the noise of training: this holds for these checkpoints alone"
    if not row["noise"] > 0:
        return "the seeds' own variance is in the interval"
    noise = f"noise of training {_number(row, row['noise'])}"
    if row["beyond_noise"]:
        return f"{abs(row['difference']) / row['noise']:.1f} times the {noise}"
    return f"inside twice the {noise}"


def _trainings(row: Row) -> str:
    listeners = f", {row['n_listeners']:.0f} listeners" if row["n_listeners"] else ""
    if row["scope"] == "checkpoints":
        return f"{listeners}, these checkpoints"
    if row["n_seeds"] > 1:
        return f" and {row['n_seeds']} seeds"
    return f"{listeners} and the noise of training, from {row['noise_df']:.0f} degrees of freedom"


def _confirmed(rows: list[Row]) -> str:
    mine = [row for row in rows if row["role"] == CONFIRMATORY]
    if not mine:
        return ""
    arms = "; ".join(f"{row['variant']} {row['verdict']} ({amount(row)})" for row in mine)
    least = max(row["detectable"] for row in mine)
    return (
        f"{_label(mine[0])}, the primary metric, against {mine[0]['reference']}: {arms}."
        f" The study would show {_number(mine[0], least)} or more with a power of 80 %."
    )


def _explored(rows: list[Row]) -> str:
    mine = [row for row in rows if row["role"] not in (CONFIRMATORY, CONTROL)]
    mine = [row for row in mine if row["effect"] == "difference"]
    if not mine:
        return ""
    differ = [row for row in mine if row["verdict"] in (WORSE, BETTER)]
    same = sum(row["verdict"] == EQUIVALENT for row in mine)
    counts = f"Of {len(mine)} exploratory differences {same} are equivalent"
    if not differ:
        return f"{counts}, and none is worse or better after correction."
    differ.sort(key=lambda row: row["p"])
    listed = "; ".join(_brief(row) for row in differ[:MOST_LISTED])
    more = f", and {len(differ) - MOST_LISTED} more" if len(differ) > MOST_LISTED else ""
    return f"{counts}, and {len(differ)} worse or better after correction: {listed}{more}."


def _crossed(rows: list[Row]) -> str:
    mine = [row for row in rows if row["effect"] not in ("difference", ROBUSTNESS)]
    differ = sorted(
        (row for row in mine if row["verdict"] in (WORSE, BETTER)), key=lambda row: row["p"]
    )
    if not mine:
        return ""
    if not differ:
        return "Crossed, no main effect or interaction is worse or better after correction."
    listed = "; ".join(_brief(row) for row in differ[:MOST_LISTED])
    return f"Crossed (main effects and interaction): {listed}."


def _controls(rows: list[Row]) -> str:
    mine = [row for row in rows if row["role"] == CONTROL and not _where(row)]
    wrong = [row for row in mine if row["verdict"] in (WORSE, BETTER)]
    if not mine:
        return ""
    if wrong:
        listed = "; ".join(_brief(row) for row in wrong[:MOST_LISTED])
        return (
            f"{len(wrong)} of {len(mine)} tests of controls, where nothing was changed, find a"
            f" difference ({listed}): take effects of that size for chance."
        )
    return f"None of {len(mine)} tests of controls is worse or better, as it should be."


def _moved(ablation: Ablation, study: Study) -> str:
    """Return which arms have to move away from the bounds of the trunk, where others have not."""
    if study.trunk is None:
        return ""
    begun = [arm for arm in ablation.arms if study.variants[arm].begins_with_trunk]
    moved = moving(study.trunk, {arm: study.variants[arm] for arm in begun})
    if not moved or moved == begun:
        return ""
    return (
        f"The trunk is bounded as {study.trunk.bottleneck.rounding} rounding bounds: in training"
        f" {', '.join(moved)} had to move away from it, and"
        f" {', '.join(arm for arm in begun if arm not in moved)} had not. What that costs is a part"
        " of the differences between them (docs/experiment.md, the trunk)."
    )


def _hardened(rows: list[Row]) -> str:
    hard = [row for row in rows if row["effect"] == ROBUSTNESS]
    mine = [row for row in hard if row["family"] == ROBUSTNESS]
    if not mine:
        return ""
    controls = [row for row in hard if row["role"] == CONTROL]
    wrong = sum(row["verdict"] in (WORSE, BETTER) for row in controls)
    told = f" Of {len(controls)} tests of controls {wrong} are worse or better." if controls else ""
    differ = sorted(
        (row for row in mine if row["verdict"] in (WORSE, BETTER)), key=lambda row: row["p"]
    )
    start = f"Under hard conditions, {_label(mine[0])} changes otherwise than it does in"
    if not differ:
        return f"{start} {mine[0]['reference']} nowhere, of {len(mine)} comparisons.{told}"
    listed = "; ".join(_brief(row) for row in differ[:MOST_LISTED])
    more = f", and {len(differ) - MOST_LISTED} more" if len(differ) > MOST_LISTED else ""
    return (
        f"{start} {mine[0]['reference']} in {len(differ)} of {len(mine)} comparisons:"
        f" {listed}{more}.{told}"
    )


def _brief(row: Row) -> str:
    return (
        f"{row['variant']}{_where(row)} {_label(row)} {row['verdict']} ({amount(row)}{_only(row)})"
    )


def _where(row: Row) -> str:
    """Return where a difference was measured; nothing for the native point of the main set."""
    if row["effect"] == ROBUSTNESS:
        return f" with {condition_label(row['condition'], row['amount'])}"
    at = "" if row["point"] == NATIVE else f" at {point_label(row['point'])}"
    return at if row["test"] == MAIN else f"{at} on test set {row['test']}"


def _only(row: Row) -> str:
    return ", these checkpoints" if row["scope"] == "checkpoints" else ""


def _label(row: Row) -> str:
    return METRICS[row["metric"]].label


def _digits(row: Row) -> int:
    return 3 if METRICS[row["metric"]].unit else 4  # of dB and MOS; the others are near 1


def _number(row: Row, value: float) -> str:
    unit = METRICS[row["metric"]].unit
    return f"{value:.{_digits(row)}f}{f' {unit}' if unit else ''}"


def _margin(row: Row) -> str:
    unit = METRICS[row["metric"]].unit
    return f"{row['margin']:g}{f' {unit}' if unit else ''}"


def _signed(row: Row, column: str) -> str:
    return f"{row[column]:+.{_digits(row)}f}"


def amount(row: Row) -> str:
    """Return a difference with its sign and its unit."""
    unit = METRICS[row["metric"]].unit
    return f"{_signed(row, 'difference')}{f' {unit}' if unit else ''}"


def _p(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
