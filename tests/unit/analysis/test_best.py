"""Marks of the summary: the best, what is not shown to differ from it, codecs beside variants."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taae.analysis.statistics import holm
from taae.analysis.tables import publish
from taae.analysis.tables import scores as tables
from taae.evaluation.other_codecs.config import DacSettings, OpusSettings
from tests.unit.analysis.fake_scores import fake_scores, study

CODECS = {
    "opus-6k": OpusSettings("opus", bitrate=6000),
    "dac": DacSettings("dac", quantizers=2, weights="w_x"),
}
STUDY = replace(study(), codecs=CODECS)


def with_codecs(scores: pd.DataFrame) -> pd.DataFrame:
    """Add Opus, a little better than the baseline, and DAC, which is not installed."""
    one = scores[(scores["variant"] == "baseline") & (scores["seed"] == 1)]
    rng = np.random.default_rng(0)
    opus = one.assign(variant="opus-6k", run="opus-6k", seed=0, bitrate=7102.5)
    opus["value"] += rng.normal(0.001, 0.02, len(opus))
    dac = one.assign(variant="dac", run="dac", seed=0, value=np.nan, bitrate=np.nan)
    dac = dac.assign(status="not_installed", message="no weights w_x")
    return pd.concat([scores, opus, dac], ignore_index=True)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return with_codecs(fake_scores())


@pytest.fixture(scope="module")
def summary(scores: pd.DataFrame) -> pd.DataFrame:
    return tables.summary(scores, STUDY)


def test_p_best_is_the_paired_t_test_on_speakers_means_over_the_variants(
    scores: pd.DataFrame, summary: pd.DataFrame
) -> None:
    for metric, better in (("stoi", 1), ("mel_distance", -1)):
        rows = summary[summary["metric"] == metric].set_index("variant")
        means = scores[scores["metric"] == metric].groupby(["variant", "speaker"])["value"].mean()
        best = (rows["mean"] * better)[list(STUDY.variants)].idxmax()
        others = [name for name in STUDY.variants if name != best]
        raw = [stats.ttest_rel(means[name], means[best]).pvalue for name in others]
        assert rows["p_best"][others].tolist() == pytest.approx(holm(raw).tolist())
        assert rows["p_best"][[best, "dac", "opus-6k"]].isna().all()
        apart = means["opus-6k"] - means[best]
        limits = stats.ttest_1samp(apart, 0).confidence_interval(0.95)
        found = rows.loc["opus-6k", ["behind", "behind_low", "behind_high"]].astype(float)
        assert found.tolist() == pytest.approx([apart.mean(), *limits])


def test_codecs_are_rows_with_their_measured_bitrate(summary: pd.DataFrame) -> None:
    rows = summary[summary["metric"] == "stoi"].set_index("variant")
    assert list(rows.index) == [*STUDY.variants, "opus-6k", "dac"]
    assert rows["bitrate"]["opus-6k"] == 7102.5
    assert rows["note"]["opus-6k"] == ""
    assert rows["note"]["dac"] == "not installed: no weights w_x"
    assert rows["n_failed"]["dac"] == rows["n_utterances"]["dac"] == 0


def test_a_codec_is_paired_with_each_seed_of_a_variant() -> None:
    scores = with_codecs(fake_scores(seeds=(1, 2, 3)))
    found = tables.summary(scores, STUDY)
    rows = found[found["metric"] == "stoi"].set_index("variant")
    assert np.isnan(rows["p_best"]).sum() == 3  # the best itself, and what is no variant
    assert np.isfinite(rows["behind"]["opus-6k"])


def test_what_latex_reads_as_commands_is_escaped(summary: pd.DataFrame, tmp_path: Path) -> None:
    name = r"a_b%c&d#e$f{g}h^i~j\k<l>m|n"
    escaped = (
        r"a\_b\%c\&d\#e\$f\{g\}h\textasciicircum{}i\textasciitilde{}j\textbackslash{}k"
        r"\textless{}l\textgreater{}m\textbar{}n"
    )
    renamed = summary.replace({"variant": {"dac": name}})
    renamed["note"] = renamed["note"].str.replace("w_x", name)
    publish.write_summary(renamed, tmp_path)
    latex = (tmp_path / "summary.tex").read_text()
    assert f"\n{escaped} (not installed) & " in latex
    assert f"{escaped} is not installed: no weights {escaped}." in latex


def test_what_is_the_same_as_the_best_is_not_shown_to_differ(scores: pd.DataFrame) -> None:
    twin = scores.copy()
    best = scores[scores["variant"] == "window-256"]
    twin.loc[twin["variant"] == "window-64", "value"] = best["value"].to_numpy()
    rows = tables.summary(twin, STUDY).query("metric == 'mel_distance'").set_index("variant")
    assert np.nanmax(rows["p_best"][["window-64", "window-256"]]) == 1


def published(scores: pd.DataFrame, folder: Path) -> tuple[str, dict[str, list[str]]]:
    """Return the Markdown summary, and its cells by the name of the row."""
    publish.write_summary(tables.summary(scores, STUDY), folder)
    markdown = (folder / "summary.md").read_text()
    lines = [line.split("|")[1:-1] for line in markdown.splitlines() if line.startswith("|")]
    return markdown, {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines}


def test_what_could_not_be_tested_is_not_shown_to_differ(
    scores: pd.DataFrame, tmp_path: Path
) -> None:
    spoilt = scores.copy()
    best = scores[scores["variant"] == "window-256"]
    worse = np.where(best["metric"] == "mel_distance", 0.02, -0.02)
    spoilt.loc[spoilt["variant"] == "window-64", "value"] = (best["value"] + worse).to_numpy()
    rows = tables.summary(spoilt, STUDY).query("metric == 'stoi'").set_index("variant")
    assert rows["mean"].idxmax() == "window-256"
    assert np.isnan(rows["p_best"]["window-64"])  # a constant difference has no test
    markdown, cells = published(spoilt, tmp_path)
    place = 1 + STUDY.metrics.names.index("stoi")
    assert "†" in cells["window-64"][place]
    assert "**" in cells["window-256"][place]
    assert "†" not in cells["even-neither"][place]
    assert "or no test possible" in markdown


def test_with_one_speaker_nothing_is_shown_to_differ(tmp_path: Path) -> None:
    markdown, cells = published(with_codecs(fake_scores(speakers=1)), tmp_path)
    assert "no interval: one speaker" in markdown
    assert "the best variant of each column is bold" in markdown
    for name in STUDY.variants:
        assert all(("**" in cell) != ("†" in cell) for cell in cells[name][1:])
    assert not any("**" in cell or "†" in cell for cell in cells["opus-6k"])


def test_a_negative_mean_has_a_minus_in_latex(scores: pd.DataFrame, tmp_path: Path) -> None:
    shifted = scores.copy()
    shifted.loc[shifted["metric"] == "si_sdr", "value"] -= 50
    _, cells = published(shifted, tmp_path)
    assert cells["even-neither"][1].startswith("-47.")
    latex = (tmp_path / "summary.tex").read_text()
    assert "even-neither & 2400 & $-$47." in latex
    assert r"\textbf{$-$46." in latex


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_compiles(summary: pd.DataFrame, tmp_path: Path) -> None:
    name = r"""a_b%c&d#e$f{g}h^i~j\k<l>m|n"o'p`q"""
    renamed = summary.replace({"variant": {"dac": name}})
    renamed["note"] = renamed["note"].str.replace("w_x", f"/é/ü/{name}")
    publish.write_summary(renamed, tmp_path)
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\n"
        "\\begin{document}\\input{summary}\\end{document}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_order_of_rows_changes_nothing(scores: pd.DataFrame, summary: pd.DataFrame) -> None:
    shuffled = scores.sample(frac=1, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(tables.summary(shuffled, STUDY), summary)


def test_marks_and_notes_are_published(summary: pd.DataFrame, tmp_path: Path) -> None:
    publish.write_summary(summary, tmp_path, ["MOSNet is left out."])
    markdown = (tmp_path / "summary.md").read_text()
    lines = {line.split("|")[1].strip(): line for line in markdown.splitlines() if "|" in line}
    assert lines["dac (not installed)"].count("–") == 1 + len(STUDY.metrics.names)
    assert "dac is not installed: no weights w_x." in markdown
    assert markdown.endswith("MOSNet is left out.\n")
    assert "p ≥ 0.05, Holm's over the variants" in markdown
    assert "$-$" not in markdown
    for position, (_, rows) in enumerate(summary.groupby("metric", sort=False), start=3):
        for row in rows.itertuples():
            name = f"{row.variant} (not installed)" if row.note else row.variant
            cell = lines[name].split("|")[position]
            unlike = row.p_best < 0.05 or np.isnan(row.mean)
            contest = row.kind == "variant"
            assert ("†" in cell) == (contest and not unlike and "**" not in cell)
    assert sum(line.count("†") for line in lines.values()) > 0
    latex = (tmp_path / "summary.tex").read_text()
    assert r"no weights w\_x" in latex
    assert latex.count(r"$^\dagger$") == 1 + sum(line.count("†") for line in lines.values())
    assert "12 speakers, 48 utterances" in markdown
