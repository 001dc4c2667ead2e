"""A study's results in small, with names and texts that would break a careless page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from taae.analysis.catalogue import figures
from taae.analysis.findings.table import COLUMNS
from taae.page.arms import arms
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.study.study import Study
from taae.utils.sample_rate import SAMPLE_RATE

DEMO = Path(__file__).parents[3] / "config.yaml"
HOSTILE = "<script>alert('&\"</script>"
SPEAKERS, EACH = 3, 2
SECONDS = 3.0
CONFIG = {
    "bitrates": {"points": ["6@own"], "ablations": ["fsq"]},
    "lengths": {"seconds": []},
    "select": ["noise", "fsq", "window"],
    "page": {"utterances": 2},
    "ablations": {"window": {"title": f"Window {HOSTILE}"}},
}
METRICS = ("si_sdr", "stoi")


def config() -> dict[str, object]:
    """Return the study as written."""
    return merge(read_yaml(DEMO), CONFIG)


def study(**page: Any) -> Study:
    """Return the study, with other settings of its page if wanted."""
    found = resolve(config())
    return replace(found, page=replace(found.page, **page))


def findings(known: Study) -> pd.DataFrame:
    """Return a row per ablation, variant and metric; verdicts in turn."""
    rows = [
        _finding(number, name, variant, metric, known)
        for number, (name, variant, metric) in enumerate(
            (name, variant, metric)
            for name, ablation in known.ablations.items()
            for variant in ablation.variants
            for metric in METRICS
        )
    ]
    table = pd.DataFrame(rows)
    assert set(table) <= set(COLUMNS)
    return table.reindex(columns=COLUMNS, fill_value=1.0)


def _finding(number: int, name: str, variant: str, metric: str, known: Study) -> dict:
    ablation = known.ablations[name]
    role = "confirmatory" if metric == ablation.primary else "exploratory"
    noisy = bool(number % 2)
    return {
        "ablation": name,
        "variant": variant,
        "reference": ablation.reference,
        "effect": "difference",
        "metric": metric,
        "point": "native",
        "test": "main",
        "role": "control" if variant in ablation.controls else role,
        "direction": "higher",
        "n_speakers": SPEAKERS,
        "difference": -0.1 - number / 100,
        "low": -0.2 - number / 100,
        "high": -number / 100,
        "noise": 0.06 if noisy else np.nan,
        "beyond_noise": "True" if noisy else "",
        "margin": 0.05,
        "verdict": ("worse", "better", "equivalent", "undetermined")[number % 4],
        "scope": "trainings" if noisy else "checkpoints",
        "sentence": f"{variant} {HOSTILE}",
    }


def write_results(known: Study, results: Path) -> None:
    """Write what the page is made from."""
    names = [f"s{s}-{u}" for s in range(SPEAKERS) for u in range(EACH)]
    table = pd.DataFrame({"utterance": names, "speaker": [name[:2] for name in names]})
    (results / "corpus").mkdir(parents=True)
    (results / "tables").mkdir()
    table.assign(text=f"Say {HOSTILE}").to_csv(results / "corpus" / "test.csv", index=False)
    heard = arms(replace(known, codecs={}), results)
    for number, arm in enumerate(heard):
        arm.audio.mkdir(parents=True)
        for name in names:
            samples = speechlike(names.index(name), SECONDS) * 10 ** (-(number % 5) / 20)
            soundfile.write(arm.audio / f"{name}.flac", samples, SAMPLE_RATE)
        if arm.scores:
            arm.scores.parent.mkdir(parents=True, exist_ok=True)
            scores = [
                {"utterance": name, "speaker": name[:2], "metric": metric, "value": 1.0 + number}
                for name in names
                for metric in METRICS
            ]
            about = {"bitrate": 2400.0, "status": "ok", "run": arm.name, "variant": arm.name}
            about |= {"settings": "", "message": ""}
            pd.DataFrame(scores).assign(**about).to_csv(arm.scores, index=False)
    findings(known).to_csv(results / "tables" / "findings.csv", index=False)
    drawn = {table for figure in figures(known) for table in figure.tables} - {"findings.csv"}
    for name in {
        *drawn,
        "comparisons.csv",
        "noise.csv",
        "provenance.csv",
        "failures.csv",
        "factorial.csv",
    }:
        (results / "tables" / name).write_text("variant\nbaseline\n")
    origin = "variant,config,python\nbaseline,012345678901,3.10\n"
    (results / "tables" / "provenance.csv").write_text(origin)
    summary = "Means.\n\n| Variant | STOI |\n|:--|--:|\n| baseline | **0.8** ± 0.1 |\n\nA note.\n"
    (results / "tables" / "summary.md").write_text(summary)
    for figure in figures(known):
        path = results / "figures" / f"{figure.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a picture")


def speechlike(seed: int, seconds: float) -> np.ndarray:
    """Return noise with syllables."""
    samples = round(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(seed).standard_normal(samples)
    swing = 1 + np.sin(2 * np.pi * 4 * np.arange(samples) / SAMPLE_RATE)
    return 0.05 * noise * swing
