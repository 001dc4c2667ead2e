# The resolved study, the targets, and what rules have in common.

import json
import shlex
import shutil
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGE = str(Path(str(workflow.current_basedir)).parent)  # folder of taae
sys.path.insert(0, PACKAGE)

from taae.codec.layer_geometry import links, parameters
from taae.codec.operating_points import NATIVE
from taae.codec.pretrained import fingerprint
from taae.study.load import resolve
from taae.training.kept import hours_of, keep
from taae.utils.errors import TaaeError
from taae.utils.files import write_text
from taae.utils.fingerprint import canonical, sources
from taae.utils.slurm import largest_nodes, too_few_cpus

try:
    STUDY = resolve(config)
except TaaeError as error:
    raise WorkflowError(str(error)) from None
for warning in STUDY.warnings:
    logger.warning(warning)
for note in STUDY.notes:
    logger.info(note)

# `python` is that of the active environment, or of --sdm conda; either finds taae.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(PACKAGE)}; ")
if workflow.modifier.modify_path("results") != "results":
    raise WorkflowError(
        "module taae: prefix and replace_prefix are not supported: results go to results/"
        " of the working directory; choose that by `snakemake --directory`"
    )

SPLITS = ("train", "validation", "test")
CORPUS = "results/corpus"
MODEL = "results/models/{variant}/seed{seed}"
KEPT = "results/kept/{variant}/seed{seed}"
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


def write_study():
    """Write the config as run, which every job reads."""
    # It is no rule's output: each rule reruns for its own part of the study, which it has among
    # its params.
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    path = Path("results/study.json")
    if not path.is_file() or path.read_text() != text:
        write_text(text, path)


if not workflow.modifier.is_main_snakefile():
    write_study()  # Snakemake calls no onstart of a module


def check_cpus():
    """Stop before SLURM is given a job that asks for more CPUs than any of its nodes has."""
    largest = largest_nodes() if workflow.executor_plugin.name == "slurm" else {}
    for job in workflow.dag.needrun_jobs():
        asked = job.resources.get("cpus_per_task") or job.threads
        asked *= job.resources.get("tasks_per_node") or 1
        partition = job.resources.get("slurm_partition")
        problem = not job.is_local and too_few_cpus(asked, partition, largest)
        if problem:
            raise WorkflowError(f"{job.rule.name}: {problem}")


def keep_replaced_models():
    """Say which trained models this run replaces, and keep them."""
    hours = {}
    for job in workflow.dag.needrun_jobs():
        if job.rule.name == "train":
            model = Path(job.output[0]).parent
            if keep(model, Path(job.params.kept)):
                hours[f"{model.parent.name}/{model.name}"] = hours_of(model)
    if hours:
        logger.warning(
            f"{len(hours)} models of {sum(hours.values()):.1f} hours of training are of other"
            f" settings, data or code and make room for new ones: {', '.join(hours)}."
            " results/kept/ keeps them; with their settings they come back untrained."
        )


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
