"""Time the tables of a study of many arms, from synthetic scores with the columns of real ones.

python -m tests.scale.tables --arms 200 --seeds 3 --utterances 2000
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from taae.analysis.figures.draw import plot
from taae.analysis.write import write_table
from taae.study.load import resolve
from taae.study.overlay import layered, merge
from taae.study.study import Study
from tests.scale.arms import many_arms
from tests.workflow.conftest import ROOT

METRICS = ["si_sdr", "mel_distance", "pesq_wb", "stoi"]
SPEAKERS = 40
FIGURES = ["forest", "metrics", "scatter"]  # of the first ablation; then the distributions


def study_of(arms: int, seeds: int) -> Study:
    """Return the demo study with other arms, scored by a few metrics."""
    own = {"metrics": {"names": METRICS}, "lengths": {"seconds": []}}
    own |= {"bitrates": {"ablations": []}, "training": {"start": "scratch"}}
    config = merge(layered([ROOT / "config.yaml"]), own)
    config |= {"variants": {}, "ablations": {}, "codecs": {}}
    return resolve(merge(config, many_arms(arms, seeds)))


def write_scores(study: Study, utterances: int, folder: Path) -> int:
    """Write a file of scores for each run; return the number of rows."""
    random, names = np.random.default_rng(0), [f"utterance-{n:05}" for n in range(utterances)]
    speakers = [f"speaker-{n % SPEAKERS:03}" for n in range(utterances)]
    rows = pd.DataFrame({"utterance": names, "speaker": speakers}).merge(
        pd.DataFrame({"metric": METRICS}), how="cross"
    )
    rows = rows.assign(split="test", n_ref=64000, n_deg=64000, n_trimmed=0, lag_samples=0)
    rows = rows.assign(n_clipped=0, settings="as always", weight=np.nan, status="ok", message="")
    rows = rows.assign(version="taae", cpu_s=0.01)
    for variant in study.variants:
        for seed in study.seeds:
            run = {"run": f"{variant}/seed{seed}", "variant": variant, "seed": seed}
            table = rows.assign(**run, bitrate=2400.0, value=random.normal(size=len(rows)))
            path = folder / variant / f"seed{seed}" / "native.csv"
            path.parent.mkdir(parents=True)
            table.to_csv(path, index=False)
    return len(rows) * len(study.variants) * len(study.seeds)


def main() -> None:
    """Print CPU seconds by table, and the largest memory, as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("arms", 200), ("seeds", 3), ("utterances", 2000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    study, seconds = study_of(given.arms, given.seeds), {}
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        rows = write_scores(study, given.utterances, results / "scores")
        for name in ("scores", "comparisons", "findings", "figures"):
            begun = time.process_time()
            if name == "figures":
                figures = [f"part-0/{kind}" for kind in FIGURES]
                plot(study, results / "tables", results / "figures", [*figures, "distributions"])
            else:
                write_table(name, study, results)
            seconds[name] = round(time.process_time() - begun, 1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**vars(given), "rows": rows, **seconds, "peak_mib": round(memory)}))


if __name__ == "__main__":
    main()
