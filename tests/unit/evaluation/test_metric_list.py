import subprocess
import sys
from pathlib import Path

import pytest

from taae.cli import main as cli
from taae.evaluation.metric_list import markdown
from taae.evaluation.metrics import METRICS, Status
from taae.evaluation.scoring.scorers import SCORERS

DOCS = Path(__file__).parents[3] / "docs/metrics.md"


def test_the_docs_have_the_table_of_the_metrics():
    assert f"\n{markdown()}\n" in DOCS.read_text()


def test_the_list_has_every_metric_and_loads_no_library():
    code = (
        "import sys; from taae.cli import main; main(['metrics']);"
        "print({'torch', 'onnx', 'onnxruntime', 'numpy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nset()\n")
    headed = [line.split("  ") for line in done.stdout.splitlines() if line[0] != " "][:-1]
    assert headed == [[name, metric.heading] for name, metric in METRICS.items()]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_described_in_full(name, capsys):
    assert cli(["metrics", "--describe", name]) == 0
    said = " ".join(capsys.readouterr().out.split())
    metric = METRICS[name]
    assert metric.definition and metric.use and metric.source
    for part in (metric.definition, metric.use, metric.settings, metric.source, metric.missing):
        assert part in said
    paired = metric.intrusive and not metric.rated
    assert ("silent_ref" in said) == (paired or "silent_ref" in metric.missing)


def test_an_unknown_metric_is_not_described(capsys):
    assert cli(["metrics", "--describe", "mos"]) == 2
    assert "'mos' is none of si_sdr" in capsys.readouterr().err


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.metrics[0])
def test_limits_of_a_scorer_are_told(scorer):
    for name in scorer.metrics:
        missing = METRICS[name].missing
        assert ("too_short" in missing) == (scorer.shortest > 0)
        assert ("too_long" in missing) == scorer.limited
        assert METRICS[name].intrusive == scorer.intrusive


def test_statuses_are_named_as_in_the_rows():
    for metric in METRICS.values():
        for reason in filter(None, metric.missing.split("; ")):
            assert reason.partition(":")[0] in set(Status)
