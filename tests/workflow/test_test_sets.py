"""Test sets added to the finished smoke study: what they cost, and what they leave."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests import results_readme as readme
from tests.workflow.conftest import SMOKE, Clone

pytestmark = pytest.mark.slow

NOISE = "noise: {kind: altered, altered: {noise_db: 20}}"
ROOM = "room: {kind: altered, altered: {of: noise, reverb_seconds: 0.3, reference: clean}}"
# Of one set: four variants and two other codecs.
ONE_SET = Counter(corpus_test=1, reference_test=1, decode_test=4, score_test=4)
ONE_SET += Counter(other_codec_test=2, score_other_codec_test=2)
COMPARED = Counter(reference_test=1, score_test=4, score_other_codec_test=2)
TOLD = Counter(["tests_table", "findings_table", "plot", "page"])


@pytest.fixture
def copy(clone: Clone, tmp_path: Path) -> Clone:
    """The finished smoke study in a folder of its own; study.yaml there is its overlay."""
    made = Clone(tmp_path / "clone")
    for folder in ("results", ".snakemake"):
        shutil.copytree(clone.folder / folder, made.folder / folder, symlinks=True)
    return made


def write_overlay(copy: Clone, *tests: str) -> str:
    """Write the smoke study with test sets; return the path of its overlay."""
    smoke = (copy.folder / SMOKE).read_text()
    text = "\n".join([smoke, "tests:", *(f"  {test}" for test in tests)])
    (copy.folder / "study.yaml").write_text(text + "\n")
    return "study.yaml"


def test_one_more_test_set_scores_what_is_new_and_trains_nothing(copy: Clone) -> None:
    # In another folder the code has other paths, and nothing else of the study may be done again.
    copy.snakemake("--touch", "all")
    assert copy.jobs() == Counter()
    assert copy.jobs(study=write_overlay(copy, NOISE)) == ONE_SET + TOLD
    two = ONE_SET + ONE_SET + TOLD
    assert copy.jobs(study=write_overlay(copy, NOISE, ROOM)) == two
    overlay = write_overlay(copy, NOISE)
    copy.snakemake("all", study=overlay)
    assert copy.jobs(study=overlay) == Counter()
    assert copy.jobs(study=write_overlay(copy, NOISE, ROOM)) == ONE_SET + TOLD
    _check_results(copy.folder / "results")
    # Compared with other speech: nothing is decoded again.
    clean = NOISE.replace("noise_db: 20", "noise_db: 20, reference: clean")
    assert copy.jobs(study=write_overlay(copy, clean)) == COMPARED + TOLD
    copy.snakemake("results/tests/noise/reference/audio", study="study.yaml")
    written, main = (
        {path.name: path.read_bytes() for path in (copy.folder / "results" / audio).iterdir()}
        for audio in ("tests/noise/reference/audio", "reference/audio")
    )
    assert written == main


def _check_results(results: Path) -> None:
    main = pd.read_csv(results / "tables" / "summary.csv")
    tests = pd.read_csv(results / "tables" / "tests.csv")
    assert list(tests["test"].unique()) == ["main", "noise"]
    assert (tests["test"] == "noise").sum() == len(main)
    manifests = [
        pd.read_csv(results / corpus / "test.csv") for corpus in ("corpus", "tests/noise/corpus")
    ]
    assert list(manifests[0]["utterance"]) == list(manifests[1]["utterance"])
    assert set(manifests[0]["sha256"]).isdisjoint(manifests[1]["sha256"])
    for figure in ("tests", "smoke/tests", "streams/tests"):
        assert (results / "figures" / f"{figure}.png").stat().st_size > 5000
    assert " on test set noise:" in (results / "tables" / "findings.csv").read_text()
    seen = {entry.path: False for entry in readme.entries() if "tests" in entry.path}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        mine = name.startswith(("tests/", "tables/tests", "figures/"))
        if path.is_dir() or path.name.startswith(".") or not mine:
            continue
        found = [entry for entry in readme.entries() if entry.matches(name)]
        assert found, f"{name} is not in results/README.md"
        seen |= {entry.path: True for entry in found}
        described = [entry.columns for entry in found if entry.columns]
        if described or path.suffix == ".csv":
            assert list(map(sorted, described)) == [sorted(readme.fields(path))], name
    unseen = {path for path, there in seen.items() if not there}
    assert unseen <= {
        "tests/{test}/codecs/{codec}/audio/{utterance}.flac",
        "tests/{test}/reference/heard.csv",
    }
