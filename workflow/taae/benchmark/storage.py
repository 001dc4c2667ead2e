"""What a study leaves on the disk: files and bytes of each job, by what they are."""

from __future__ import annotations

from typing import NamedTuple

from taae.benchmark.jobs import Job, rule_of
from taae.benchmark.shards import CORPUS, SHARD, prepares
from taae.benchmark.speech import Amount
from taae.codec.layer_geometry import parameter_count
from taae.codec.operating_points import NATIVE
from taae.study.study import Study
from taae.training.config import TRUNK
from taae.utils.memory import MIB
from taae.utils.sample_rate import SAMPLE_RATE

TRAININGS, DECODINGS = ("train", TRUNK), ("decode", "decode_points")  # rules
SCORINGS = ("score", "score_points", "score_other_codec")
PCM, FLAC = 2, 1.2  # bytes per sample in a corpus, and of decoded speech, about
WEIGHT = 4  # bytes per parameter: float32
# Of a training under way: two states on the disk and one being written, each with the weights,
# their average and AdamW's two numbers.
STATES, STATE = 3, 16
# Bytes of a row, measured on the demo: of a manifest with text, of a table of scores.
MANIFEST_ROW, SCORE_ROW = 245, 145
BASIS = {
    "corpus": f"{PCM} bytes per sample; about {MANIFEST_ROW} per row of a manifest",
    "models": f"{WEIGHT} bytes per parameter",
    "states": f"{STATES} of {STATE} bytes per parameter, while a training runs",
    "decoded": f"estimated, {FLAC} bytes per sample of FLAC",
    "scores, tables": f"estimated, {SCORE_ROW} bytes per score",
    "records": "small",
}


class Stored(NamedTuple):
    """Files of one kind: how many, and their size."""

    what: str
    files: float
    mib: float


def stored_by(job: Job, study: Study, speech: Amount) -> list[Stored]:
    """Return what a job leaves, `speech` being that of its test set.

    `records` are logs, benchmarks and what Snakemake notes of each output.
    """
    if not job.outputs:
        return []
    rule, points, outputs = rule_of(job), points_of(job, study), len(job.outputs)
    records = Stored("records", 1 + bool(job.benchmark) + outputs, 0.0)
    if rule in TRAININGS:
        weights = parameter_count(study.variant(job.arm).codec) / MIB
        return [
            Stored("models", outputs, WEIGHT * weights),
            Stored("states", STATES, STATES * STATE * weights),
            records,
        ]
    if rule in (CORPUS, SHARD):
        rows = MANIFEST_ROW * sum(speech.utterances.values())
        audio = PCM * SAMPLE_RATE * sum(speech.seconds.values()) if prepares(job, study) else 0.0
        return [Stored("corpus", outputs, (audio + rows) / MIB), records]
    decoded = len(points) if rule in DECODINGS else int(rule in ("other_codec", "reference"))
    if decoded:
        # One of the outputs at each point is the folder of the audio.
        files = outputs + decoded * (speech.utterances["test"] - 1)
        audio = FLAC * SAMPLE_RATE * speech.seconds["test"]
        return [Stored("decoded", files, decoded * audio / MIB), records]
    rows = 0.0
    if rule in SCORINGS:
        rows = speech.utterances["test"] * sum(len(study.metrics_at(point)) for point in points)
    return [Stored("scores, tables", outputs, SCORE_ROW * rows / MIB), records]


def points_of(job: Job, study: Study) -> list[str]:
    """Return the operating points at which a job decodes or scores its arm."""
    everywhere = job.arm in study.variants and "test" not in job.wildcards
    return study.points(job.arm) if everywhere else [NATIVE]
