# The resolved study, the targets, and what rules have in common.

import json
import os
import shlex
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import sourcecache_entry
from snakemake.settings.types import DeploymentMethod

# The package lies beside this file. Where Snakemake itself fetched this file from a repository, as
# `snakedeploy` has it, the one that is installed is used.
if Path(str(workflow.current_basedir)).is_dir():
    sys.path.insert(0, str(Path(str(workflow.current_basedir)).parent))
elif not find_spec("taae"):
    raise WorkflowError(
        "the package taae is not installed; in a clone of this workflow: pip install -e ."
    )

import taae
from taae.analysis.catalogue import figures
from taae.codec.layer_geometry import parameter_count
from taae.codec.operating_points import NATIVE
from taae.codec.pretrained import fingerprint
from taae.corpus.config import MAIN
from taae.study.checks import check_computable
from taae.study.load import resolve
from taae.study.overlay import in_order, read_yaml
from taae.training.kept import keep
from taae.utils.errors import TaaeError
from taae.utils.files import write_text
from taae.utils.fingerprint import canonical, sources
from taae.utils.shipped import shipped
from taae.utils.slurm import largest_nodes, too_few_cpus

PACKAGE = str(Path(taae.__file__).parents[1])  # folder of taae
DEFAULTS = Path(PACKAGE).parent / "config.yaml"
try:
    if workflow.modifier.is_main_snakefile() and DEFAULTS.is_file():
        # Snakemake puts the keys of an overlay first, `taae --study` those of config.yaml; and
        # figures have their arms in the order of the config.
        ordered = in_order(config, like=read_yaml(DEFAULTS))
        config.clear()
        config.update(ordered)
    STUDY = resolve(config)
except TaaeError as error:
    raise WorkflowError(str(error)) from None
for warning in STUDY.warnings:
    logger.warning(warning)
for note in STUDY.notes:
    logger.info(note)

# `python` is that of the active environment, or of --sdm conda; either finds taae.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(PACKAGE)}; ")
if workflow.modifier.path_modifier.replace_prefix("results") != "results":
    raise WorkflowError(
        "module taae: prefix and replace_prefix are not supported: results go to results/"
        " of the working directory; choose that by `snakemake --directory`"
    )

STORAGE = workflow.storage_registry.default_storage_provider
if workflow.storage_settings.default_storage_provider == "s3":
    # snakemake-storage-plugin-s3 0.3.6 remembers for good that a folder was not there, and so does
    # not see it after a job on another machine has written it. Asked anew, it does.
    STORAGE.get_storage_object_cls().is_dir = lambda self: any(self.get_subkeys())
    # A training keeps its state there too: it takes the server and the keys from boto3's variables.
    given = {
        "AWS_ENDPOINT_URL": STORAGE.settings.endpoint_url,
        "AWS_DEFAULT_REGION": STORAGE.settings.region,
        "AWS_ACCESS_KEY_ID": STORAGE.settings.access_key,
        "AWS_SECRET_ACCESS_KEY": STORAGE.settings.secret_key,
        "AWS_SESSION_TOKEN": STORAGE.settings.token,
    }
    os.environ.update({name: value for name, value in given.items() if value})

IMAGE = os.environ.get("TAAE_CONTAINER")
if (
    not IMAGE
    and DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
):
    raise WorkflowError(
        "--sdm apptainer: build the image of envs/Dockerfile, and name it by the environment"
        " variable TAAE_CONTAINER; see docs/cluster.md"
    )

SPLITS = ("train", "validation", "test")
CORPUS = "results/corpus"
IN_SHARDS = [f"{CORPUS}/train.npy"] if STUDY.shard_hours else []  # not one file there
TEST = "results/tests/{test}"
TEST_DECODED = f"{TEST}/decoded/{{variant}}/seed{{seed}}"
TEST_SCORES = f"{TEST}/scores/{{variant}}/seed{{seed}}.csv"
TRUNK = "results/trunk/seed{seed}"
MODEL = "results/models/{variant}/seed{seed}"
STATE = "results/state/{variant}/seed{seed}"
KEPT = "results/kept/{variant}/seed{seed}"
DECODED = "results/decoded/{variant}/seed{seed}/{point}"
SCORES = "results/scores/{variant}/seed{seed}/{point}.csv"
RATINGS = "results/scores/ratings.csv"
BITRATES = "results/bitrates/{variant}/seed{seed}/{point}"
ROBUSTNESS = "results/robustness/{variant}/seed{seed}.csv"
SILENCE = "results/robustness/{variant}/silence-seed{seed}.csv"


def local_copy(path):
    """Where a job finds a result: with a storage provider at a copy, of its own in- and outputs."""
    return str(workflow.modifier.modify_path(path))


def in_place(*paths):
    """Files that are no results: each job reads them where they lie, and no storage keeps them."""
    if STORAGE is None:
        return [str(path) for path in paths]
    return [sourcecache_entry(str(path), str(path)) for path in paths]


def in_s3(option, path):
    """An option of the command line with the URL of a folder, where S3 keeps the results."""
    if workflow.storage_settings.default_storage_provider != "s3":
        return ""
    prefix = workflow.storage_settings.default_storage_prefix.rstrip("/")
    return f"{option} {prefix}/{path}"


# Whether a recogniser is asked, and which one.
RECOGNISED = not {"wer", "cer", "dwer"}.isdisjoint(STUDY.computed)
ASR = STUDY.metrics.asr
ASR_MODEL = f"--asr-language {shlex.quote(ASR.language)}"
RECOGNISER = []
if ASR.model:
    RECOGNISER = in_place(
        *(
            f"{ASR.model}/{name}"
            for name in ("model.bin", "config.json", "tokenizer.json")
        )
    )
    ASR_MODEL += f" --asr-model {shlex.quote(ASR.model)}"

# One job decodes a model at all of its operating points, and another scores it. How many files they
# write depends on the variant, so that there are two rules for each of these jobs: of variants with
# the native point alone, and of variants with all points.
POINTS = [NATIVE, *STUDY.bitrates.points]
AT_POINTS, NATIVE_ALONE = (
    "|".join(
        name for name in STUDY.variants if (len(STUDY.points(name)) > 1) == several
    )
    or "none"
    for several in (True, False)
)


def at(points, *patterns):
    """Return patterns of paths at operating points, their other wildcards left as they are."""
    return expand(patterns, point=points, allow_missing=True)


def where(condition, *names):
    """Names of results that a study may have no use for."""
    return names if condition else ()


SILENT_ARMS = STUDY.robustness_arms if STUDY.robustness.silence else []
TABLES = expand(
    "results/tables/{name}",
    name=[
        *("scores.csv", "summary.csv", "summary.md", "summary.tex", "comparisons.csv"),
        *("noise.csv", "factorial.csv", "findings.csv", "findings.md"),
        *("coverage.csv", "failures.csv", "provenance.csv"),
        *where(STUDY.trained, "training.csv"),
        *where(STUDY.probed(), "rate-distortion.csv", "bitrates.csv", "codebook.csv"),
        *where(STUDY.probed(), "histogram.csv", "precision.csv", "points.csv"),
        *where(STUDY.probed(), "bd-rate.csv"),
        *where(STUDY.tests, "tests.csv", "tests-comparisons.csv"),
        *where(STUDY.codecs, "codecs.csv"),
        *where(STUDY.cost_arms, "cost.csv"),
        *where(STUDY.length_arms, "lengths.csv", "lengths-comparisons.csv"),
        *where(STUDY.robustness_arms, "robustness.csv", "robustness-comparisons.csv"),
        *where(SILENT_ARMS, "robustness-silence.csv"),
        *where(STUDY.listening.tests, "listeners.csv"),
    ],
)
PAGE = "results/page"
SHOWN = figures(STUDY)
FIGURES = expand(
    "results/figures/{figure.name}.{kind}", figure=SHOWN, kind=("png", "pdf")
)


def runs(pattern, variants=STUDY.variants, points=lambda variant: [NATIVE]):
    """Expand a pattern over every run of variants, at some operating points."""
    return [
        path
        for variant in variants
        for path in expand(
            pattern,
            variant=variant,
            seed=STUDY.seeds_of(variant),
            point=points(variant),
        )
    ]


def code(module):
    """Source files of a module: an edit reruns the rule, a touch does not (small inputs are hashed)."""
    return in_place(*sources(module))


def speech(corpus, *splits):
    """Splits of a corpus. Its corpus.json, which has their hash, says when they have changed."""
    return ancient(speech_files(corpus, *splits))


def speech_files(corpus, *splits):
    """Audio and manifest of splits, but for audio that lies in shards."""
    kinds = ("npy", "csv")
    found = expand(
        f"{corpus}/{{split}}.{{kind}}", split=splits, kind=kinds, allow_missing=True
    )
    return [path for path in found if path not in IN_SHARDS]


def write_study():
    """Write the config as run, which every job reads."""
    # It is no rule's output: each rule reruns for its own part of the study, which it has among
    # its params.
    text = json.dumps(config, indent=2) + "\n"
    path = Path("results/study.json")
    if not path.is_file() or path.read_text() != text:
        write_text(text, path)


def store_study():
    """Put the study beside its results, where a storage provider keeps these."""
    if STORAGE is not None:
        study = workflow.inputfile("results/study.json").storage_object
        study.set_local_path(Path("results/study.json"))
        workflow.async_run(study.managed_store())


def check_packages():
    """Stop where a metric lacks its package here, and here is where it will be computed."""
    if workflow.deployment_settings.deployment_method:
        return  # jobs have packages of their own
    try:
        check_computable(STUDY)
    except TaaeError as error:
        raise WorkflowError(str(error)) from None


def check_packages_of_jobs():
    """Stop before anything is trained whose scores cannot be computed; figures need no package."""
    if any(job.rule.name.startswith("score") for job in workflow.dag.needrun_jobs()):
        check_packages()


# Snakemake calls no onstart of a module, nor in a job on a machine that shares no disk.
if not workflow.modifier.is_main_snakefile() or workflow.remote_exec:
    write_study()
if not workflow.modifier.is_main_snakefile():
    check_packages()


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
        if job.rule.name in ("train", "trunk"):
            model = Path(job.output[0]).parent
            spent = keep(model, Path(job.params.kept))
            if spent is not None:
                hours[f"{model.parent.name}/{model.name}"] = spent
    if hours:
        logger.warning(
            f"This run replaces trained models ({sum(hours.values()):.1f} hours of training):"
            f" {', '.join(hours)}. results/kept/ keeps them, and they come back without training"
            " where their settings do."
        )


def manifest(corpus):
    """The list of a corpus's recordings, where there is one; the rule says where it is missing."""
    listed = corpus["kind"] == "folder" and shipped(corpus["folder"]["manifest"])
    return in_place(listed) if listed and Path(listed).is_file() else []


def shard_folders(wildcards):
    """The shards of the corpus, where it is prepared in shards."""
    if not STUDY.shard_hours:
        return []
    with checkpoints.shards.get().output.index.open() as index:
        return expand(f"{CORPUS}/shards/{{shard}}", shard=json.load(index)["shards"])


def corpus_of(test):
    """The folder of the corpus that a test set is in."""
    return CORPUS if test == MAIN else f"{TEST}/corpus".format(test=test)


def test_set(wildcards):
    """The settings of a test set."""
    return STUDY.tests[wildcards.test]


def made_of(wildcards):
    """What a test set is made of: another one, downloaded files, a list of recordings."""
    test = test_set(wildcards)
    if test.kind == "altered":
        source = corpus_of(test.altered.of)
        return [f"{source}/corpus.json", *speech(source, "test")]
    receipts = test.download().subsets
    return expand("results/download/{subset}.json", subset=receipts) + manifest(
        test.chosen()
    )


def compared_with(wildcards):
    """The corpus whose speech decoded speech of a test set is compared with."""
    return corpus_of(STUDY.reference_of(wildcards.test))


def variant_of(wildcards):
    """The settings of a model; without a variant those of the trunk."""
    return STUDY.variant(wildcards.get("variant", "trunk"))


def trunk_trained_here(wildcards):
    """The trunk that a training waits for, where it begins with one that the study trains."""
    here = variant_of(wildcards).begins_with_trunk and not STUDY.trunk.pretrained
    return [f"{TRUNK}/model.safetensors", f"{TRUNK}/config.json"] if here else []


def trunk_hashes(wildcards):
    """The files of a finished trunk, where a training begins with one."""
    finished = variant_of(wildcards).begins_with_trunk and STUDY.trunk.pretrained
    return canonical(fingerprint(Path(finished))) if finished else ""


def weights_mb(wildcards, bytes_each):
    """Memory to ask for where a model is: so many bytes for each weight, and what Python takes."""
    count = parameter_count(variant_of(wildcards).codec)
    return 4000 + round(1e-6 * bytes_each * count)


def all_weights_mb(variants, bytes_each=10):
    """The same where the models of several variants are there at once."""
    count = sum(parameter_count(STUDY.variant(name).codec) for name in variants)
    return 4000 + round(1e-6 * bytes_each * count)


def train_mb(wildcards, attempt):
    """Memory to ask for on a node that trains: weights, averages, optimiser, a state being saved."""
    processes = variant_of(wildcards).training.processes_per_node
    return attempt * processes * weights_mb(wildcards, bytes_each=40)


def over_nodes(resource):
    """What SLURM is asked for where a training takes several nodes; else nothing."""

    def ask(wildcards):
        training = variant_of(wildcards).training
        each = training.processes_per_node
        # The SLURM executor takes one of the two, and the second above 1 alone.
        tasks = {"tasks": training.nodes} if each == 1 else {"tasks_per_node": each}
        asked = {
            "nodes": training.nodes,
            "mpi": "srun",
            "tasks_per_gpu": 1 if training.gpus else None,
            **tasks,
        }
        return asked.get(resource) if training.nodes > 1 else None

    return ask


def rating_files():
    """The files that listeners sent back, of every listening test."""
    found = []
    for test in STUDY.listening.tests:
        files = sorted(Path(test, "ratings").glob("*.json"))
        if not files:
            raise WorkflowError(
                f"config: listening.tests: {test}/ratings: no ratings yet; put the listeners'"
                " files (*.json) there"
            )
        found += in_place(*files)
    return found


def other_codec_of(wildcards):
    """The settings of another codec, for a test set."""
    return STUDY.codecs[wildcards.codec].of(wildcards.get("test", MAIN))


def scored(wildcards):
    """What of the study the scores of a model are made of."""
    points = STUDY.points(wildcards.variant)
    bitrates = [variant_of(wildcards).bitrate(point) for point in points]
    limits = STUDY.metrics.max_failed, STUDY.metrics.max_seconds
    asr = [asdict(ASR)] if RECOGNISED else []
    return [
        *zip(points, map(STUDY.metrics_at, points), bitrates),
        *limits,
        *SPEAKER_WEIGHTS,
        *asr,
    ]


def recogniser_options(wildcards, input):
    """How `taae score` is told of the recogniser: what it hears in the references lies by them."""
    if not RECOGNISED:
        return ""
    heard = Path(input.reference).parent / "heard.csv"
    return f"--heard {heard} {ASR_MODEL} --max-reference-wer {ASR.max_reference_wer}"


def heard(*patterns):
    """Files of all variants, each with the study's first seed at all of its operating points."""
    return [
        path
        for variant in STUDY.variants
        for path in expand(
            patterns,
            variant=variant,
            seed=STUDY.seeds[0],
            point=STUDY.points(variant),
        )
    ]


def megabytes(number):
    """Memory to ask for, growing with each attempt."""
    return lambda wildcards, attempt: attempt * number


def minutes(seconds):
    """Runtime to ask for, growing with each attempt."""
    return lambda wildcards, attempt: attempt * max(10, round(seconds / 60))


def minutes_at_each_point(seconds):
    """Runtime to ask for, growing with each attempt and with a model's operating points."""
    return lambda wildcards, attempt: (
        len(STUDY.points(wildcards.variant)) * minutes(seconds)(wildcards, attempt)
    )


def table(name, caption):
    """A table that the report shows."""
    caption = f"../report/{caption}.rst"
    return report(f"results/tables/{name}", caption, category="Tables")


def reported(figure):
    """A figure that the report shows, by its ablation where it has one."""
    ablation = {"ablation": figure.ablation} if figure.ablation else {}
    return report(
        f"results/figures/{figure.name}.png",
        f"../report/{figure.kind}.rst",
        category=figure.category,
        labels={**ablation, "figure": figure.kind},
    )


# Of a job that computes with a model: its float32 weights as read and as used, and a GPU if the
# training had any.
MODEL_RESOURCES = {
    "mem_mb": lambda wildcards, attempt: attempt * weights_mb(wildcards, bytes_each=10),
    "runtime": minutes(3600),
    "gpu": lambda wildcards: min(1, variant_of(wildcards).training.gpus),
}
