"""The command line as a person meets it: help, one-line errors, exit statuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from taae import cli
from taae.evaluation import installed
from taae.utils.files import write_json

PEOPLE = {
    "A study": ["check", "download", "listen", "page", "plan", "power", "ratings", "write-up"],
    "A codec": ["export", "import-stable-codec", "push", "train"],
    "Audio": ["compare", "decode", "encode", "hear", "metrics", "other-codec", "score", "stream"],
    "What it takes": ["bench", "cost"],
}
RULES = ["corpus", "reference", "rates", "table", "plot"]


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert cli.main([str(word) for word in arguments]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert "Traceback" not in printed
    return printed


def test_help_lists_what_people_use_without_loading_torch() -> None:
    code = (
        "import sys, runpy; sys.argv = ['taae', '--help']\n"
        "try: runpy.run_module('taae', run_name='__main__')\n"
        "except SystemExit: print({'torch', 'numpy', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listed: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if found := re.match(r"╭─ (.+?) ─", line):
            listed[found[1]] = []
        elif found := re.match(r"│ ([a-z-]+)  ", line):
            list(listed.values())[-1].append(found[1])
    assert {group: listed[group] for group in PEOPLE} == PEOPLE
    assert listed.keys() - PEOPLE == {"Commands"}
    assert not listed["Commands"]  # --help alone
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize(
    "command", [*(name for names in PEOPLE.values() for name in names), *RULES]
)
def test_every_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: taae {command} ")
    assert len(said.partition("\n\n")[2].partition("\n\n")[0]) > 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "nothing"),
        (["train", "--variant", "x"], "--seed"),
        (["cost", "--models", "m", "--output", "o", "--thread", "2"], "--thread"),
        (["compare", "--scores", "--output", "o", "--baseline", "b"], "--scores"),
        (["plan", "--cores", "1.5"], "--cores"),
        (["score", "--reference", "r", "--decoded", "d", "--output", "o", "--jobs", "0"], "--jobs"),
        (["score", "--reference", "r", "--decoded", "d", "--output", "o", "--metrics", "si_sdr",
          "loudness"], "'loudness' is none of si_sdr, "),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_clear_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert said in printed


def test_check_lists_the_variants(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[3]
    assert cli.main(["check", "--study", str(root / "config.yaml")]) == 0
    assert "window-32: 2400 bit/s, window 32, 2.4M parameters\n" in capsys.readouterr().out


def test_check_refuses_a_metric_whose_package_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda module: None)
    write_json({"metrics": {"names": ["plcmos"]}}, tmp_path / "own.json")
    assert cli.main(["check", "--study", str(tmp_path / "own.json")]) == 0
    write_json({"metrics": {"names": ["si_sdr", "f0_rmse"]}}, tmp_path / "pitch.json")
    said = error_of(capsys, "check", "--study", tmp_path / "pitch.json")
    assert re.search(r"config: metrics.names: f0_rmse needs .*pip install .*pitch", said)


@pytest.mark.parametrize("name", ["--study", "--configfile"])
def test_plan_takes_a_study_by_the_name_that_snakemake_has_too(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nowhere.yaml"
    assert str(missing) in error_of(capsys, "plan", name, missing)


def test_score_pairs_two_folders(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clean = rng.normal(0, 0.1, 16_000)
    for name, wave in (("reference/s1/a.flac", clean), ("decoded/s1/a.wav", 0.5 * clean)):
        (tmp_path / name).parent.mkdir(parents=True)
        soundfile.write(tmp_path / name, wave, 16_000, subtype="PCM_24")
    output = tmp_path / "scores.csv"
    words = ["score", "--reference", tmp_path / "reference", "--decoded", tmp_path / "decoded"]
    words += ["--output", output, "--metrics", "stft_distance", "si_sdr"]
    words += ["--run", "half", "--seed", "3"]
    assert cli.main([str(word) for word in words]) == 0
    table = pd.read_csv(output).set_index("metric")
    assert table["utterance"].tolist() == ["s1/a"] * 2
    assert set(table["run"]) == {"half"}
    assert table.loc["stft_distance", "value"] == pytest.approx(0.5 + np.log(2), abs=1e-3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("corpus: [", "not a readable config"),
        ("- 1\n- 2\n", "a study is a mapping"),
        ("corpsu: {}\n", "corpsu"),
    ],
)
def test_a_broken_config_is_one_clear_error(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(content)
    assert words in error_of(capsys, "check", "--study", path)


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere.csv"
    words = ("compare", "--scores", missing, "--baseline", "x", "--output", tmp_path / "c.csv")
    assert str(missing) in error_of(capsys, *words)
    words = ("reference", "--corpus", tmp_path / "nowhere", "--output", tmp_path / "out")
    assert "rerun rule corpus" in error_of(capsys, *words)
    words = ("score", "--reference", tmp_path / "a", "--decoded", tmp_path, "--output", missing)
    error_of(capsys, *words)
    assert not (tmp_path / "c.csv").exists()


def test_a_results_folder_that_cannot_be_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the folder should be: an obstacle for root too."""
    root = Path(__file__).parents[3]
    (tmp_path / "results").write_text("kept")
    words = ("corpus", "--study", root / "config.yaml", root / "workflow/studies/smoke.yaml")
    message = error_of(capsys, *words, "--output", tmp_path / "results" / "corpus")
    assert "results" in message
    assert (tmp_path / "results").read_text() == "kept"
