"""The smoke study end to end: what it leaves, and what a change makes it do again."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from taae.study.load import load_study
from tests import results_readme as readme
from tests.workflow.conftest import PARTS, SMOKE, Clone

pytestmark = pytest.mark.slow

UPSTREAM = (
    "models",
    "decoded",
    "scores",
    "reference",
    "corpus",
    "codecs",
    "bitrates",
    "lengths",
    "robustness",
    "cost",
)
VARIANTS = ["baseline", "window-32", "causal", "causal-conv"]
CODECS = ["opus-6k", "codec2-2400"]
# Four variants in two ablations, two of them at two operating points each, one seed.
ANALYSIS = Counter(["scores_table", "comparisons_table", "findings_table", "bitrates_table"])
ANALYSIS += Counter(["lengths_table", "robustness_table", "plot", "page"])
# What the models of a study are shown in together; one job draws all figures.
OVERVIEWS = Counter(["training_table", "provenance_table", "spectra_table", "cost", "cost_table"])
ONE_MODEL = Counter(train=1, decode_points=1, score_points=1, entropy_models=1, rates=1)
ONE_MODEL += Counter(precision=1, lengths=1, robustness=1)
ONE_STREAM = Counter(train=1, decode=1, score=1)
TRUNK = Counter(trunk=1)  # of each seed
MODELS = ONE_MODEL + ONE_MODEL + ONE_STREAM + ONE_STREAM + OVERVIEWS


def test_every_stage_left_what_the_results_folder_promises(clone: Clone) -> None:
    results = clone.folder / "results"
    scores = pd.read_csv(results / "tables" / "scores.csv")
    assert set(scores["variant"]) == {*VARIANTS, *CODECS}
    assert len(scores) == (len(VARIANTS) + len(CODECS)) * 6 * 7  # utterances, metrics
    manifest = pd.read_csv(results / "corpus" / "test.csv")
    assert set(scores["utterance"]) == set(manifest["utterance"])
    assert dict(zip(manifest["utterance"], manifest["speaker"], strict=True)) == dict(
        zip(scores["utterance"], scores["speaker"], strict=True)
    )
    for variant in VARIANTS:
        run = results / "decoded" / variant / "seed1" / "native"
        codes = np.load(run / "codes.npz")
        table = pd.read_csv(run / "utterances.csv").set_index("utterance")
        for record in manifest.itertuples():
            decoded = soundfile.info(run / "audio" / f"{record.utterance}.flac")
            assert decoded.frames == record.samples
            assert decoded.samplerate == 16_000
            frames = -(-record.samples // 320)
            assert codes[record.utterance].shape == (frames, 6)
            assert table.loc[record.utterance, "frames"] == frames
        provenance = json.loads(
            (results / "models" / variant / "seed1" / "provenance.json").read_text()
        )
        assert provenance["seed"] == 1
        assert provenance["variant"]["attention"]["window"] == (32 if "32" in variant else 128)
    origins = pd.read_csv(results / "tables" / "provenance.csv").set_index("variant")
    corpus = json.loads((results / "corpus" / "corpus.json").read_text())
    assert set(origins.index) == set(VARIANTS)
    assert set(origins["corpus"]) == {corpus["sha256"][:12]}
    assert origins["config"].nunique() == len(VARIANTS)
    assert (origins["resumptions"] == 0).all()
    assert (origins["cpu_hours"] > 0).all()
    summary = pd.read_csv(results / "tables" / "summary.csv").set_index("variant")
    assert set(summary.loc[VARIANTS, "bitrate"].round()) == {1226}
    comparisons = pd.read_csv(results / "tables" / "comparisons.csv")
    assert set(comparisons["variant"]) == {*VARIANTS} - {"baseline"}
    costs = pd.read_csv(results / "tables" / "cost.csv", keep_default_na=False).set_index("variant")
    for variant, frames in (("causal", True), ("causal-conv", True), ("baseline", False)):
        assert (costs.loc[variant, "chunk_ms_median"] != "") == frames
        assert (costs.loc[variant, "note"] == "") == frames
    lengths = pd.read_csv(results / "tables" / "lengths.csv")
    assert {"low", "high", "change", "worse"} <= set(lengths)
    whole = ("training", "spectrograms", "coverage", "cost", "lengths")
    for figure in ("smoke/metrics", "smoke/robustness", "streams/forest", *whole):
        for kind in ("png", "pdf"):
            assert (results / "figures" / f"{figure}.{kind}").stat().st_size > 5000
    assert not list((results / "state").rglob("*.pt"))


def test_variants_have_the_order_of_the_command_line(clone: Clone) -> None:
    """Figures and tables have it, whoever draws them: the rules, or a person by `taae --study`."""
    by_hand = load_study([clone.folder / "config.yaml", clone.folder / SMOKE])
    assert list(by_hand.variants) == VARIANTS
    assert list(load_study([clone.folder / "results" / "study.json"]).variants) == VARIANTS


def test_the_readme_of_the_results_has_every_file_and_its_columns(clone: Clone) -> None:
    results = clone.folder / "results"
    entries, unseen = readme.entries(), {entry.path for entry in readme.entries()}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        if path.is_dir() or path.name.startswith("."):
            continue
        found = [entry for entry in entries if entry.matches(name)]
        assert found, f"{name} is not in results/README.md"
        unseen -= {entry.path for entry in found}
        described = [entry.columns for entry in found if entry.columns]
        if described or (
            path.suffix in (".csv", ".tsv") and not name.startswith(("state/", "page/"))
        ):
            assert list(map(sorted, described)) == [sorted(readme.fields(path))], name
    # What the smoke study has no use for, or what needs a program that may be missing.
    elsewhere = ("download/", "mosnet/", "codecs/{codec}/audio/", "state/{variant}/")
    elsewhere += ("scores/ratings.csv", "tables/listeners.csv", "reference/heard.csv")
    elsewhere += ("shards", "corpus/shards/")
    elsewhere += ("tests/", "tables/tests", "figures/tests", "figures/{ablation}/tests")
    assert [path for path in unseen if not path.startswith(elsewhere)] == []


def test_scores_are_those_of_the_files(clone: Clone) -> None:
    """SI-SDR of one row, computed here from the two FLAC files."""
    results = clone.folder / "results"
    scores = pd.read_csv(results / "tables" / "scores.csv")
    row = scores[(scores["metric"] == "si_sdr") & (scores["status"] == "ok")].iloc[0]
    s, _ = soundfile.read(results / "reference" / "audio" / f"{row['utterance']}.flac")
    run = results / "decoded" / row["variant"] / "seed1" / "native"
    path = run / "audio" / f"{row['utterance']}.flac"
    d, _ = soundfile.read(path)
    s, d = s - s.mean(), d - d.mean()
    scaled = s * (s @ d) / (s @ s)
    expected = 10 * np.log10((scaled @ scaled) / ((d - scaled) @ (d - scaled)))
    assert row["value"] == pytest.approx(expected, abs=1e-6)


def test_a_second_run_has_nothing_to_do(clone: Clone) -> None:
    assert clone.jobs() == Counter()


def test_touching_a_source_file_reruns_nothing(clone: Clone) -> None:
    for part in PARTS:
        for path in [clone.folder / part, *(clone.folder / part).rglob("*")]:
            path.touch()
    assert clone.jobs() == Counter()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("analysis/figures/ablations.py", Counter(plot=1, page=1)),
        ("analysis/figures/style.py", Counter(plot=1, page=1)),
        ("analysis/statistics.py", ANALYSIS),
        (
            "analysis/tables/runs.py",
            Counter(["training_table", "provenance_table", "cost_table", "plot", "page"]),
        ),
        ("analysis/tables/spectra.py", Counter(["spectra_table", "plot", "page"])),
        (
            "analysis/tables/publish.py",
            Counter(["scores_table", "comparisons_table", "findings_table", "plot", "page"]),
        ),
        (
            "evaluation/scoring/signal_metrics.py",
            Counter(score=2, score_points=2, score_other_codec=2, lengths=2, robustness=2)
            + ANALYSIS,
        ),
        ("page/arms.py", Counter(page=1)),
        ("training/train.py", TRUNK + MODELS + ANALYSIS),
        ("utils/gpus.py", Counter()),  # nor does any other that changes no result
    ],
)
def test_an_edit_reruns_its_stage_and_what_follows(
    clone: Clone, path: str, expected: Counter[str]
) -> None:
    undo = clone.edit(f"workflow/taae/{path}", '"""', '"""Edited. ')
    try:
        assert clone.jobs() == expected
    finally:
        undo()
    assert clone.jobs() == Counter()


@pytest.mark.parametrize("name", ["page.css", "player.js", "template.html"])
def test_an_edit_of_how_the_page_looks_makes_it_again(clone: Clone, name: str) -> None:
    undo = clone.edit(f"workflow/taae/page/{name}", "\n", " \n")
    try:
        assert clone.jobs() == Counter(page=1)
    finally:
        undo()


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        (
            "config.yaml",
            "attention: {window: 32}",
            "attention: {window: 16}",
            ONE_MODEL + OVERVIEWS + ANALYSIS,
        ),
        (
            "workflow/studies/smoke.yaml",
            "steps: 6,",
            "steps: 7,",
            TRUNK + ONE_MODEL + ONE_MODEL + OVERVIEWS + ANALYSIS,
        ),
    ],
    ids=["a variant, alone", "the trunk, with all that begins with it"],
)
def test_what_is_edited_is_trained_again(
    clone: Clone, path: str, old: str, new: str, expected: Counter[str]
) -> None:
    undo = clone.edit(path, old, new)
    try:
        jobs = clone.jobs()
    finally:
        undo()
    assert jobs == expected


def test_an_installed_program_runs_its_codec_again(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "opusenc").write_text("#!/bin/sh\n")
    (tmp_path / "opusenc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    jobs = clone.jobs()
    assert (jobs["other_codec"], jobs["score_other_codec"], jobs["scores_table"]) == (1, 1, 1)
    assert not jobs.keys() & {"corpus", "train", "decode", "decode_points", "score", "lengths"}


def test_an_added_variant_trains_alone(clone: Clone) -> None:
    undo = clone.edit(
        "config.yaml", "variants:\n", "variants:\n  added:\n    attention: {window: 16}\n"
    )
    undo_overlay = clone.edit(
        "workflow/studies/smoke.yaml", "variants: [window-32]", "variants: [window-32, added]"
    )
    try:
        jobs = clone.jobs()
    finally:
        undo()
        undo_overlay()
    assert jobs == ONE_MODEL + OVERVIEWS + ANALYSIS


def test_an_added_seed_trains_that_seed_alone(clone: Clone) -> None:
    undo = clone.edit("config.yaml", "seeds: [1]", "seeds: [1, 2]")
    try:
        jobs = clone.jobs()
    finally:
        undo()
    per_run = MODELS - OVERVIEWS  # costs and spectrograms are of the first seed
    assert jobs == TRUNK + per_run + Counter(["training_table", "provenance_table"]) + ANALYSIS


def test_removed_audio_reruns_nothing_upstream(clone: Clone) -> None:
    """Only what needs it decodes again, from the model that is there."""
    results = clone.folder / "results"
    kept = clone.folder.parent / "audio"
    shutil.move(results / "decoded", kept)
    try:
        assert clone.jobs() == Counter()
        edit = clone.edit(
            "workflow/taae/evaluation/scoring/signal_metrics.py", '"""', '"""Edited. '
        )
        try:
            jobs = clone.jobs()
        finally:
            edit()
        rules = ("decode", "decode_points", "score", "score_points")
        assert [jobs[rule] for rule in rules] == [2] * 4
        upstream = {"corpus", "reference", "trunk", "train"}
        assert not {*upstream, "entropy_models", "precision", "cost"} & set(jobs)
    finally:
        shutil.move(kept, results / "decoded")


def test_a_pretrained_variant_is_decoded_and_never_trained(clone: Clone) -> None:
    """The baseline's own model, from elsewhere, must decode to what the baseline did."""
    results, elsewhere = clone.folder / "results", clone.folder / "a model"
    elsewhere.mkdir()
    for name in ("model.safetensors", "config.json", "provenance.json"):
        shutil.copy(results / "models" / "baseline" / "seed1" / name, elsewhere)
    undo = clone.edit(
        "config.yaml", "variants:\n", "variants:\n  published: {pretrained: a model}\n"
    )
    run = "results/decoded/published/seed1/native"
    try:
        jobs = clone.jobs()
        clone.snakemake(f"{run}/utterances.csv")
        for path in elsewhere.iterdir():
            path.touch()
        touched = clone.jobs(f"{run}/utterances.csv")
        # Another model: the same weights but for the last bytes.
        weights = elsewhere / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
        replaced = clone.jobs(f"{run}/utterances.csv")
    finally:
        undo()
    new = Counter(pretrained=1, provenance_table=1)
    new += Counter(decode_points=1, score_points=1, entropy_models=1, rates=1, precision=1)
    tables = ["spectra_table", "cost_table"]
    assert jobs == new + ANALYSIS + Counter(tables)
    found, expected = (
        (results / "decoded" / variant / "seed1" / "native" / "utterances.csv").read_bytes()
        for variant in ("published", "baseline")
    )
    assert found == expected
    assert touched == Counter()
    assert replaced == Counter(pretrained=1, decode_points=1)


def test_figures_come_back_from_the_tables_alone(clone: Clone) -> None:
    results = clone.folder / "results"
    before = {path: path.read_bytes() for path in sorted((results / "figures").rglob("*.*"))}
    kept = clone.folder.parent / "kept"
    kept.mkdir()
    for part in ("figures", *UPSTREAM):
        shutil.move(results / part, kept / part)
    try:
        assert set(clone.jobs("figures")) == {"plot"}
        clone.snakemake("figures")
        after = {path: path.read_bytes() for path in sorted((results / "figures").rglob("*.*"))}
        assert after == before
    finally:
        for part in UPSTREAM:
            shutil.move(kept / part, results / part)


def test_a_report_can_be_made(clone: Clone) -> None:
    clone.snakemake("--report=report.zip", "all", cores=None)
    with zipfile.ZipFile(clone.folder / "report.zip") as archive:
        names = archive.namelist()
        report = archive.read("report/report.html").decode()
    assert len(report) > 100_000
    assert "provenance.csv" in report
    for name in ("index.html", "player.js", "audio/1/reference.wav"):
        assert [each for each in names if each.endswith(f"/{name}")], name


def test_another_operating_point_retrains_nothing(clone: Clone) -> None:
    undo = clone.edit("workflow/studies/smoke.yaml", "points: [1x46656]", "points: [2x15625]")
    try:
        jobs = clone.jobs()
    finally:
        undo()
    models = Counter(decode_points=2, score_points=2, rates=2, entropy_models=2)
    tables = Counter(["scores_table", "comparisons_table", "bitrates_table", "spectra_table"])
    assert jobs == models + tables + Counter(findings_table=1, plot=1, page=1)


def test_a_mistake_in_the_config_stops_before_any_job(clone: Clone) -> None:
    undo = clone.edit("config.yaml", "attention: {window: 32}", "attention: {windw: 32}")
    try:
        done = clone.snakemake("all", check=False)
    finally:
        undo()
    assert done.returncode
    assert "variants.window-32.attention: unknown key 'windw'; did you mean 'window'?" in (
        done.stdout + done.stderr
    )
    assert "Traceback" not in done.stdout + done.stderr
