"""Preparing a corpus: speech of any kind becomes one store of audio and manifests."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from taae.corpus import folder, librispeech, recordings
from taae.corpus.huggingface import HUGGINGFACE
from taae.corpus.synthetic.passages import SYNTHETIC
from taae.corpus.utterance import SPLITS, Item, Kind, Plan
from taae.corpus.webdataset import WEBDATASET
from taae.corpus.writer import StoreWriter, write_store
from taae.utils.errors import TaaeError
from taae.utils.log import log, progress
from taae.utils.processes import ordered_map
from taae.utils.sample_rate import SAMPLE_RATE

KINDS = {
    "synthetic": SYNTHETIC,
    "folder": recordings.kind(folder.plan),
    "librispeech": recordings.kind(librispeech.plan),
    "webdataset": WEBDATASET,
    "huggingface": HUGGINGFACE,
}
BATCH_SECONDS = 120.0  # of speech, after which a batch is full: its audio is in memory
# What the workers import: once, for all of their processes.
PRELOAD = ("pyloudnorm", "soxr", "taae.corpus.recordings", "taae.corpus.synthetic.passages")
SHOWN = 3  # rejected files that an error names
FEW = 5  # speakers that a warning names


def prepare(corpus: dict[str, Any], output: Path, workers: int = 1) -> None:
    """Prepare the corpus that the resolved `corpus` section of a study, or a test set, describes.

    Writes into the folder `output`, for each split (of a test set: test alone), `<split>.npy`
    (int16, 16 kHz, utterances one after the other) and `<split>.csv`
    (`taae.corpus.store.Record`), then `rejected.csv` and `corpus.json`. The result does not depend
    on `workers`, the number of processes. Memory is bounded by a few jobs and the list of files,
    not by the audio.

    Raises:
        TaaeError: the corpus cannot be prepared; an earlier one in `output` is as it was.
    """
    kind = KINDS[corpus["kind"]]
    plan = kind.plan(corpus)
    with write_store(output, corpus, corpus.get("splits", SPLITS)) as store:
        add_items(store, kind, plan, workers)
        check(store, corpus["max_rejected"], "repair or remove them")
    log_splits(store)


def log_splits(store: StoreWriter) -> None:
    """Say how much each split has."""
    for split, writer in store.splits.items():
        about = writer.summary()
        log(
            f"corpus: {split}: {about['utterances']} utterances of {about['speakers']} speakers,"
            f" {about['seconds'] / 60:.1f} min"
        )


def add_items(store: StoreWriter, kind: Kind, plan: Plan, workers: int) -> None:
    """Prepare the items of a plan in up to `workers` processes, and add them to a store."""
    items: Iterable[Item] = progress(plan.items, len(plan.items), "corpus")
    batches: Iterable[Any] = batches_of(items, kind.together)
    if kind.read:
        read = functools.partial(kind.read, **plan.settings)
        batches = chain.from_iterable(map(read, items))
    work = functools.partial(kind.work, **plan.settings)
    for outcomes in ordered_map(work, batches, workers, preload=PRELOAD):
        for outcome in outcomes:
            store.add(outcome)


def batches_of(items: Iterable[Item], together: int) -> Iterator[list[Item]]:
    """Yield consecutive items, up to `together` of them or until they are of `BATCH_SECONDS`."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == together or sum(each.seconds for each in batch) >= BATCH_SECONDS:
            yield batch
            batch = []
    if batch:
        yield batch


def check(store: StoreWriter, max_rejected: float, remedy: str) -> None:
    """Raise a `TaaeError` for a corpus that is of no use, and warn of a doubtful one.

    `remedy` says what to do about rejected files.
    """
    rejected, accepted = store.rejected, store.rates.total()
    total = accepted + len(rejected)
    if len(rejected) > max_rejected * total or not accepted:
        reasons = Counter(each.reason for each in rejected).most_common()
        limit = f"; corpus.max_rejected allows {max_rejected:.0%}" if accepted else ""
        raise TaaeError(
            f"corpus: {len(rejected)} of {total} files are rejected"
            f" ({', '.join(f'{count} {reason}' for reason, count in reasons)}){limit};"
            f" {remedy}. First: "
            + "; ".join(f"{each.label.source} ({each.detail})" for each in rejected[:SHOWN])
        )
    for split, writer in store.splits.items():
        if not writer.speakers:
            raise TaaeError(f"corpus: no utterance in split '{split}'")
    few = sum(count for rate, count in store.rates.items() if rate < SAMPLE_RATE)
    if few:
        log(f"corpus: warning: {few} files have less than {SAMPLE_RATE} Hz, so no high frequencies")
    overlap = store.speakers_overlap()
    if overlap:
        log(
            f"corpus: warning: speakers overlap: {', '.join(overlap[:FEW])}"
            f"{', ...' if len(overlap) > FEW else ''} in more than one split;"
            " the scores say nothing about unseen speakers"
        )
