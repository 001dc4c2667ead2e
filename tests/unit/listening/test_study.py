"""A study takes up the ratings of its listening tests, and without any nothing changes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taae.study.load import resolve
from taae.utils.errors import TaaeError
from tests.unit.listening.made import careful, listening_test, rating_file

ROOT = Path(__file__).parents[3]


def test_the_metrics_of_its_tests_are_metrics_of_the_study(results: Path, tmp_path: Path) -> None:
    for design in ("ab", "mushra"):
        listening_test(tmp_path / design, results, design)  # type: ignore[arg-type]
    before = resolve({"metrics": {"names": ["stoi"]}})
    tests = [str(tmp_path / design) for design in ("ab", "mushra")]
    after = resolve({"metrics": {"names": ["stoi"]}, "listening": {"tests": tests}})
    assert before.metrics.names == before.computed == after.computed == ["stoi"]
    assert after.metrics.names == ["stoi", "mushra", "preference"]


def test_no_other_part_of_a_study_can_score_them(results: Path, tmp_path: Path) -> None:
    listening_test(tmp_path / "test", results, "mushra")
    config = {"listening": {"tests": [str(tmp_path / "test")]}}
    with pytest.raises(TaaeError, match=r"metrics\.names.*'mushra' should be"):
        resolve({"metrics": {"names": ["mushra"]}})
    with pytest.raises(TaaeError, match=r"listening\.tests: .*nowhere/key\.json"):
        resolve({"listening": {"tests": ["nowhere"]}})
    ablation = {
        "title": "t",
        "varies": ["attention.window"],
        "variants": ["w"],
        "primary": "mushra",
    }
    arms = {"variants": {"w": {"attention": {"window": 32}}}, "ablations": {"window": ablation}}
    assert resolve(config | arms).ablations["window"].primary == "mushra"
    with pytest.raises(TaaeError, match=r"lengths\.metrics: 'mushra'"):
        resolve(config | arms | {"lengths": {"seconds": [1], "metrics": ["mushra"]}})


def jobs(folder: Path, *options: str) -> tuple[str, set[str]]:
    """Return what a dry run of the demo says, and its rules."""
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "--cores", "1", "--snakefile"]
    command += [str(ROOT / "Snakefile"), "--directory", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr, set(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M))


@pytest.mark.slow
def test_snakemake_makes_the_tables_from_ratings_too(results: Path, tmp_path: Path) -> None:
    test = listening_test(tmp_path / "listening" / "test", results, "mushra")
    config = tmp_path / "mine.yaml"
    config.write_text("listening: {tests: [listening/test]}\n")
    options = "--configfile", str(config), "--", "tables"
    said, _ = jobs(tmp_path, *options)
    assert "listening/test/ratings: no ratings yet" in said
    rating_file(tmp_path / "listening" / "test" / "ratings" / "a b.json", test, "p01", careful)
    said, with_ratings = jobs(tmp_path, *options)
    before, without = jobs(tmp_path, "--", "tables")
    assert with_ratings - without == {"ratings"}
    assert "taae ratings 'listening/test/ratings/a b.json' --test listening/test --study" in said
    scoring = re.findall(r"python -m taae score .*", said)
    assert scoring
    assert sorted(scoring) == sorted(re.findall(r"python -m taae score .*", before))
