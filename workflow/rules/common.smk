# The resolved study, the targets, and which source files each stage is made of.

import json
import shlex
import shutil
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from taae.codec.layer_geometry import links, parameters
from taae.codec.operating_points import NATIVE
from taae.codec.pretrained import fingerprint
from taae.study.load import resolve
from taae.utils.errors import TaaeError
from taae.utils.files import write_text
from taae.utils.fingerprint import canonical, sources

try:
    STUDY = resolve(config)
except TaaeError as error:
    raise WorkflowError(str(error)) from None
for warning in STUDY.warnings:
    logger.warning(warning)
for note in STUDY.notes:
    logger.info(note)

# `python` is that of the active environment, or of --sdm conda; either finds taae.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}; ")

SPLITS = ("train", "validation", "test")
CORPUS = "results/corpus"
MODEL = "results/models/{variant}/seed{seed}"
DECODED = "results/decoded/{variant}/seed{seed}/{point}"
SCORES = "results/scores/{variant}/seed{seed}/{point}.csv"

TABLES = [
    f"results/tables/{name}"
    for name in (
        "scores.csv",
        "summary.csv",
        "summary.md",
        "summary.tex",
        "comparisons.csv",
        "coverage.csv",
        "failures.csv",
        "provenance.csv",
    )
]
if STUDY.trained:
    TABLES.append("results/tables/training.csv")
if STUDY.probed():
    TABLES += [
        f"results/tables/{name}.csv"
        for name in (
            "rate-distortion",
            "bitrates",
            "codebook",
            "histogram",
            "precision",
        )
    ]
if STUDY.codecs:
    TABLES.append("results/tables/codecs.csv")
if STUDY.cost_arms:
    TABLES.append("results/tables/cost.csv")
if STUDY.length_arms:
    TABLES.append("results/tables/lengths.csv")
FIGURES = [
    f"results/figures/{name}.{kind}"
    for name in [
        *[
            f"{ablation}/{figure}"
            for ablation in STUDY.ablations
            for figure in ("metrics", "forest", "scatter")
        ],
        "distributions",
        "spectrograms",
        *(["training", "coverage"] if STUDY.trained else []),
        *(["rate-distortion", "codebook"] if STUDY.probed() else []),
        *(["lengths"] if STUDY.length_arms else []),
        *(["cost"] if STUDY.cost_arms else []),
    ]
    for kind in ("png", "pdf")
]


def runs(pattern, variants=STUDY.variants):
    """Expand a pattern over every run of variants, at the native bitrate."""
    return [
        path
        for variant in variants
        for path in expand(
            pattern, variant=variant, seed=STUDY.seeds_of(variant), point=NATIVE
        )
    ]


def all_points(pattern):
    """Expand a pattern over every variant, seed and operating point of the study."""
    return [
        path
        for variant in STUDY.variants
        for path in expand(
            pattern,
            variant=variant,
            seed=STUDY.seeds_of(variant),
            point=STUDY.points(variant),
        )
    ]


def code(module):
    """Source files of a stage: an edit reruns it, a touch does not (small inputs are hashed)."""
    return [str(path) for path in sources(module)]


def to_json(value):
    """A value as text that reads the same whenever it is the same."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def manifest(corpus):
    """The list of a corpus's recordings, where there is one; the stage says where it is missing."""
    listed = corpus["kind"] == "folder" and corpus["folder"]["manifest"]
    return [listed] if listed and Path(listed).is_file() else []


def variant_of(wildcards):
    """What determines a training, as the value whose change reruns it."""
    return canonical(STUDY.variants[wildcards.variant])


def pretrained_model(wildcards):
    """The folder of a model that is not trained here."""
    return Path(STUDY.variants[wildcards.variant].pretrained)


def model_mb(wildcards, attempt):
    """Memory to ask for where a model runs: its float32 weights, as read and as used."""
    variant = STUDY.variants[wildcards.variant]
    chains = links(variant.model, variant.attention, variant.bottleneck)
    return attempt * (4000 + round(10e-6 * parameters(chains)))


def train_mb(wildcards, attempt):
    """Memory to ask for on a node that trains: weights, averages, optimiser, a state being saved."""
    variant = STUDY.variants[wildcards.variant]
    chains = links(variant.model, variant.attention, variant.bottleneck)
    each = 4000 + round(40e-6 * parameters(chains))
    return attempt * each * variant.training.processes_per_node


def training(wildcards):
    """The settings of a training."""
    return STUDY.variants[wildcards.variant].training


def over_nodes(value):
    """What SLURM is asked for where a training takes several nodes; else nothing."""
    return lambda wildcards: (
        value(training(wildcards)) if training(wildcards).nodes > 1 else None
    )


def installed(wildcards):
    """What another codec needs of the machine: installing it reruns the codec."""
    codec = STUDY.codecs[wildcards.codec]
    program = {"opus": "opusenc", "codec2": "c2enc"}.get(codec.kind)
    if program:
        return str(shutil.which(program))
    return f"{find_spec('transformers') is not None} {Path(codec.weights).is_dir()}"


def megabytes(number):
    """Memory to ask for, growing with each attempt."""
    return lambda wildcards, attempt: attempt * number


def minutes(seconds):
    """Runtime to ask for, growing with each attempt."""
    return lambda wildcards, attempt: attempt * max(10, round(seconds / 60))
