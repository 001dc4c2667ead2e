"""The corpus stage: any kind of corpus becomes one store of audio and manifests."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import soundfile

from taae.corpus import folder, librispeech, synthetic
from taae.corpus.parallel import ordered_map
from taae.corpus.plan import Plan
from taae.corpus.utterance import SPLITS, Rejected
from taae.corpus.writer import SplitWriter, write_manifest, write_rejected
from taae.errors import TaaeError
from taae.files import atomic
from taae.progress import log, progress
from taae.study import SAMPLE_RATE

PLANS: dict[str, Callable[[dict[str, Any]], Plan]] = {
    "synthetic": synthetic.plan,
    "folder": folder.plan,
    "librispeech": librispeech.plan,
}
LIBRARIES = ("espeakng-loader", "numpy", "pyloudnorm", "soundfile", "soxr")


def prepare(corpus: dict[str, Any], output: Path, workers: int = 1) -> None:
    """Prepare the corpus that the resolved `corpus` section of a study describes.

    Writes into the folder `output`, for each split, `<split>.npy` (int16, 16 kHz, utterances one
    after the other) and `<split>.csv` (`taae.corpus.store.Record`), then `rejected.csv` and
    `corpus.json`. The result does not depend on `workers` (processes). Memory is bounded by a few
    jobs, not by the corpus. All files are put in place at the end, `corpus.json` last.

    Raises:
        TaaeError: the corpus cannot be prepared; an earlier one in `output` is as it was.
    """
    plan = PLANS[corpus["kind"]](corpus)
    try:
        with ExitStack() as stack:
            _write(corpus, plan, Path(output), workers, stack)
    except OSError as error:
        raise TaaeError(f"{error.filename or output}: {error.strerror}") from error


def _write(
    corpus: dict[str, Any], plan: Plan, output: Path, workers: int, stack: ExitStack
) -> None:
    # A stack unwinds backwards: what is entered first is put in place last.
    summary_path = stack.enter_context(atomic(output / "corpus.json"))
    rejected_path = stack.enter_context(atomic(output / "rejected.csv"))
    manifests = {split: stack.enter_context(atomic(output / f"{split}.csv")) for split in SPLITS}
    audio = {split: stack.enter_context(atomic(output / f"{split}.npy")) for split in SPLITS}
    writers = {split: stack.enter_context(SplitWriter.open(audio[split])) for split in SPLITS}

    rejected: list[Rejected] = []
    rates: Counter[int] = Counter()
    results = ordered_map(plan.work, plan.jobs, workers)
    for outcomes in progress(results, len(plan.jobs), "corpus"):
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                rejected.append(outcome)
            else:
                writers[outcome.label.split].add(outcome)
                rates[outcome.source_rate] += 1

    _check_rejected(rejected, rates.total(), corpus["max_rejected"])
    for split, writer in writers.items():
        if not writer.records:
            raise TaaeError(f"corpus: no utterance in split '{split}'")
    if min(rates) < SAMPLE_RATE:
        few = sum(count for rate, count in rates.items() if rate < SAMPLE_RATE)
        log(f"corpus: warning: {few} files have less than {SAMPLE_RATE} Hz, so no high frequencies")
    digests = {split: write_manifest(writers[split].records, manifests[split]) for split in SPLITS}
    digests["rejected"] = write_rejected(rejected, rejected_path)
    summary = {
        "settings": corpus,
        "splits": {
            split: writers[split].summary() | {"sha256": digests[split]} for split in SPLITS
        },
        "speakers_overlap": _overlap(writers),
        "rejected": len(rejected),
        "source_rates": {str(rate): rates[rate] for rate in sorted(rates)},
        "sha256": hashlib.sha256("\n".join(digests.values()).encode()).hexdigest(),
        "libraries": {name: version(name) for name in LIBRARIES}
        | {"libsndfile": soundfile.__libsndfile_version__},
    }
    summary_path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8")
    log("corpus: " + "; ".join(_describe(split, writers[split]) for split in SPLITS))


def _check_rejected(rejected: list[Rejected], accepted: int, largest_share: float) -> None:
    total = len(rejected) + accepted
    if len(rejected) <= largest_share * total and accepted:
        return
    reasons = Counter(item.reason for item in rejected)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    first = "; ".join(f"{item.label.source} ({item.detail})" for item in rejected[:3])
    limit = f"; corpus.max_rejected allows {largest_share:.0%}" if accepted else ""
    raise TaaeError(
        f"corpus: {len(rejected)} of {total} files are rejected ({counts}){limit};"
        f" repair or remove them. First: {first}"
    )


def _overlap(writers: dict[str, SplitWriter]) -> list[str]:
    """Return the speakers that occur in more than one split, with a warning if there are any."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for split, writer in writers.items():
        for record in writer.records:
            splits[record.speaker].add(split)
    overlap = sorted(speaker for speaker, found in splits.items() if len(found) > 1)
    if overlap:
        log(
            f"corpus: warning: speakers overlap: {', '.join(overlap[:5])}"
            f"{', ...' if len(overlap) > 5 else ''} in more than one split;"
            " the scores say nothing about unseen speakers"
        )
    return overlap


def _describe(split: str, writer: SplitWriter) -> str:
    about = writer.summary()
    return (
        f"{split} {about['utterances']} utterances of {about['speakers']} speakers,"
        f" {about['seconds'] / 60:.1f} min"
    )
