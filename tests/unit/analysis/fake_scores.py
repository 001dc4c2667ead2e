"""Scores with known effects, for the tests of the analysis."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from taae.evaluation.metrics import METRICS
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.study.study import Study

DEMO, ARMS = Path(__file__).parents[3] / "config.yaml", Path(__file__).parent / "arms.yaml"

CENTRE = {"si_sdr": 3.0, "mel_distance": 1.1, "pesq_wb": 1.6, "stoi": 0.8}
EFFECT = {  # in standard deviations of an utterance, towards worse
    "odd-no-hybrid": 0.8,
    "even": 0.1,
    "even-no-symmetric": 0.5,
    "even-no-hybrid": 0.9,
    "even-neither": 1.6,
    "window-32": 1.0,
    "window-64": 0.4,
    "window-256": -0.2,
}


def study(resamples: int = 200) -> Study:
    """Return the demo with the arms of these tests alone, four metrics and few resamples."""
    demo = read_yaml(DEMO) | {"variants": {}, "ablations": {}}
    loaded = resolve(merge(demo, read_yaml(ARMS)))
    return replace(
        loaded,
        codecs={},
        metrics=replace(loaded.metrics, names=list(CENTRE)),
        statistics=replace(loaded.statistics, resamples=resamples),
    )


def fake_scores(
    seeds: tuple[int, ...] = (1,), speakers: int = 12, utterances: int = 4
) -> pd.DataFrame:
    """Return a score row per variant of `study`, seed, utterance and metric."""
    rows = []
    for variant, settings in study().variants.items():
        for metric, centre in CENTRE.items():
            shared = np.random.default_rng(zlib.crc32(metric.encode()))
            speaker_effect = shared.normal(0, 1, speakers)
            utterance_effect = shared.normal(0, 0.5, (speakers, utterances))
            for seed in seeds:
                own = np.random.default_rng(zlib.crc32(f"{variant} {metric} {seed}".encode()))
                response = own.normal(0, 0.15, speakers) + (own.normal(0, 0.3) if seed > 1 else 0)
                noise = own.normal(0, 0.1, (speakers, utterances))
                units = utterance_effect + noise + (speaker_effect + response)[:, None]
                units -= METRICS[metric].better * EFFECT.get(variant, 0.0)
                values = centre + units * 0.1
                for (speaker, number), value in np.ndenumerate(values):
                    rows.append(
                        {
                            "run": f"{variant}-{seed}",
                            "variant": variant,
                            "seed": seed,
                            "bitrate": settings.bitrate(),
                            "utterance": f"v{speaker:02d}-{number}",
                            "speaker": f"v{speaker:02d}",
                            "split": "test",
                            "n_ref": 48000,
                            "n_deg": 48000,
                            "n_trimmed": 0,
                            "lag_samples": 0,
                            "n_clipped": 0,
                            "metric": metric,
                            "settings": "a1",
                            "value": value,
                            "status": "ok",
                            "message": "",
                            "version": "1",
                            "cpu_s": 0.1,
                        }
                    )
    return pd.DataFrame(rows)
