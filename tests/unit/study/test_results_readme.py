"""results/README.md agrees with itself and with the code; tests/workflow has it meet a run."""

from __future__ import annotations

import re

from taae.corpus.normalise import REASONS
from taae.evaluation.metrics import METRICS, Status
from tests import results_readme as readme


def test_every_link_leads_to_columns_and_no_columns_are_left_over() -> None:
    linked, single = set(), set()
    for _, _, cell in readme.table("results/"):
        for section, column in readme.parts_of(cell):
            linked.add(section)
            single.add(column)
    text = readme.README.read_text(encoding="utf-8")
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= set(readme.sections())
    described = set(readme.sections()) - {"results/", "columns", "in-several-tables"}
    assert linked - {""} == described - {"metrics", "status"}
    assert single - {""} == set(readme.names("in-several-tables"))


def test_every_column_has_a_meaning() -> None:
    for section in set(readme.sections()) - {"results/", "columns", "status"}:
        assert len(readme.names(section)) == len(set(readme.names(section))) > 0
        for row in readme.table(section):
            assert len(row) == 3
            assert row[2], f"{section}: {row[0]}"


def test_metrics_statuses_and_reasons_are_those_of_the_code() -> None:
    said = {
        name: (unit, better)
        for cell, unit, better in readme.table("metrics")
        for name in readme.NAME.findall(cell)
    }
    assert said == {
        metric.name: (metric.unit, "higher" if metric.better > 0 else "lower")
        for metric in METRICS.values()
    }
    assert readme.names("status") == list(Status)
    reasons = {row[0]: row[2] for row in readme.table("rejected")}["`reason`"]
    assert readme.NAME.findall(reasons) == list(REASONS)
