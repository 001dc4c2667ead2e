"""The corpus stage: any kind of corpus becomes one store of audio and manifests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import soundfile

from taae.corpus import folder, librispeech
from taae.corpus.journal import Journal
from taae.corpus.synthetic import passages as synthetic
from taae.corpus.utterance import SPLITS, Outcome, Plan, Rejected
from taae.corpus.writer import RejectedTally, RejectedWriter, SplitWriter, Tally
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, make_folder
from taae.utils.fingerprint import digest, sources
from taae.utils.locks import locked
from taae.utils.log import log, progress
from taae.utils.processes import ordered_map
from taae.utils.sample_rate import SAMPLE_RATE

PLANS: dict[str, Callable[[dict[str, Any]], Plan]] = {
    "synthetic": synthetic.plan,
    "folder": folder.plan,
    "librispeech": librispeech.plan,
}
STORED = (*(f"{split}.{kind}" for split in SPLITS for kind in ("npy", "csv")), "rejected.csv")
# What the jobs import: once, for all of their processes.
PRELOAD = ("pyloudnorm", "soxr", "taae.corpus.recordings", "taae.corpus.synthetic.passages")
LIBRARIES = ("espeakng-loader", "numpy", "pyloudnorm", "soundfile", "soxr")


def prepare(
    corpus: dict[str, Any],
    output: Path,
    workers: int = 1,
    state: Path | None = None,
    checkpoint_every: float = 60.0,
) -> None:
    """Prepare the corpus that the resolved `corpus` section of a study describes.

    Writes into the folder `output`, for each split, `<split>.npy` (int16, 16 kHz, utterances one
    after the other) and `<split>.csv` (`taae.corpus.store.Record`), then `rejected.csv` and
    `corpus.json`. The result depends neither on `workers` nor on interruptions. Memory is bounded
    by a few jobs and the list of files, not by the audio. All files are put in place at the end,
    `corpus.json` last.

    Args:
        corpus: the section.
        output: folder of the corpus.
        workers: processes.
        state: folder that an interrupted preparation goes on from; None: it starts anew.
        checkpoint_every: seconds of work that an interruption may cost.

    Raises:
        TaaeError: the corpus cannot be prepared; an earlier one in `output` is as it was.
    """
    plan = PLANS[corpus["kind"]](corpus)
    try:
        with ExitStack() as stack:
            make_folder(output)
            if state is None:
                state = Path(stack.enter_context(TemporaryDirectory(prefix=".", dir=output)))
            make_folder(state)
            stack.enter_context(locked(state / "lock"))
            _prepare(corpus, plan, output, workers, state, checkpoint_every)
    except OSError as error:
        raise TaaeError(f"{error.filename or output}: {error.strerror}") from error


def _prepare(
    corpus: dict[str, Any],
    plan: Plan,
    output: Path,
    workers: int,
    state: Path,
    checkpoint_every: float,
) -> None:
    folder = state / _key(corpus, plan)
    for path in state.glob("[0-9a-f]" * 16):
        if path.is_dir() and path != folder:  # of other settings or files
            shutil.rmtree(path)
    with Journal(folder, STORED) as journal:
        writer = Writer(journal)
        if writer.jobs:
            log(f"corpus: going on after {writer.jobs} of {len(plan.jobs)} jobs")
        jobs = plan.jobs[writer.jobs :]
        saved = time.monotonic()
        done = ordered_map(plan.work, jobs, workers, preload=PRELOAD)
        for outcomes in progress(done, len(jobs), "corpus"):
            writer.add(outcomes)
            if time.monotonic() - saved >= checkpoint_every:
                journal.commit(writer.note())
                saved = time.monotonic()
        writer.finish()
        journal.commit(writer.note())
    try:
        _check(corpus, writer)
    except TaaeError:
        shutil.rmtree(folder)  # what could not be read may be readable next time
        raise
    _place(corpus, writer, folder, output)
    shutil.rmtree(folder)


def _key(corpus: dict[str, Any], plan: Plan) -> str:
    """Return a digest of all that determines the store: settings, files, code and libraries."""
    code = [file_sha256(path) for path in sources("corpus/prepare")]
    return digest(corpus, [plan.inputs, *code], _libraries())[:16]


class Writer:
    """Writes the outcomes of jobs, in their order, to the files of a journal."""

    def __init__(self, journal: Journal) -> None:
        """Go on from the journal's note; `jobs` counts those whose outcomes are written."""
        note, files = journal.note, journal.files
        self.jobs: int = note["jobs"] if note else 0
        self.rates: Counter[int] = Counter()
        for rate, count in note["rates"].items() if note else ():
            self.rates[int(rate)] = count
        self.splits = {
            split: SplitWriter(
                files[f"{split}.npy"],
                files[f"{split}.csv"],
                Tally.of(note["splits"][split]) if note else None,
            )
            for split in SPLITS
        }
        self.rejected = RejectedWriter(
            files["rejected.csv"], RejectedTally.of(note["rejected"]) if note else None
        )

    def add(self, outcomes: list[Outcome]) -> None:
        """Append the outcomes of the next job."""
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                self.rejected.add(outcome)
            else:
                self.splits[outcome.label.split].add(outcome)
                self.rates[outcome.source_rate] += 1
        self.jobs += 1

    def finish(self) -> None:
        """Make the files complete."""
        for writer in self.splits.values():
            writer.finish()

    def note(self) -> dict[str, Any]:
        """Return, as JSON, what another `Writer` needs to go on from here."""
        return {
            "jobs": self.jobs,
            "rates": self.rates,
            "splits": {split: vars(writer.tally) for split, writer in self.splits.items()},
            "rejected": vars(self.rejected.tally),
        }


def _check(corpus: dict[str, Any], writer: Writer) -> None:
    _check_rejected(writer.rejected.tally, writer.rates.total(), corpus["max_rejected"])
    for split, split_writer in writer.splits.items():
        if not split_writer.tally.speakers:
            raise TaaeError(f"corpus: no utterance in split '{split}'")
    if min(writer.rates) < SAMPLE_RATE:
        few = sum(count for rate, count in writer.rates.items() if rate < SAMPLE_RATE)
        log(f"corpus: warning: {few} files have less than {SAMPLE_RATE} Hz, so no high frequencies")


def _place(corpus: dict[str, Any], writer: Writer, folder: Path, output: Path) -> None:
    """Put the finished files of `folder` and the summary in their places."""
    digests = {split: file_sha256(folder / f"{split}.csv") for split in SPLITS}
    digests["rejected"] = file_sha256(folder / "rejected.csv")
    summaries = {split: writer.splits[split].tally.summary() for split in SPLITS}
    summary = {
        "settings": corpus,
        "splits": {split: summaries[split] | {"sha256": digests[split]} for split in SPLITS},
        "speakers_overlap": _overlap(writer.splits),
        "rejected": writer.rejected.tally.reasons.total(),
        "source_rates": {str(rate): writer.rates[rate] for rate in sorted(writer.rates)},
        "sha256": hashlib.sha256("\n".join(digests.values()).encode()).hexdigest(),
        "libraries": _libraries(),
    }
    with ExitStack() as stack:
        # A stack unwinds backwards: what is entered first is put in place last.
        path = stack.enter_context(atomic(output / "corpus.json"))
        path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8")
        for name in STORED:
            _link(folder / name, stack.enter_context(atomic(output / name)))
    log("corpus: " + "; ".join(_describe(split, summaries[split]) for split in SPLITS))


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, so that the journal stays whole until all are in place."""
    try:
        os.link(source, target)
    except OSError:  # the state is on another disk, or on one without links
        shutil.copyfile(source, target)


def _libraries() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES} | {
        "libsndfile": soundfile.__libsndfile_version__
    }


def _check_rejected(rejected: RejectedTally, accepted: int, largest_share: float) -> None:
    count = rejected.reasons.total()
    total = count + accepted
    if count <= largest_share * total and accepted:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in rejected.reasons.most_common())
    limit = f"; corpus.max_rejected allows {largest_share:.0%}" if accepted else ""
    raise TaaeError(
        f"corpus: {count} of {total} files are rejected ({reasons}){limit};"
        f" repair or remove them. First: {'; '.join(rejected.first)}"
    )


def _overlap(writers: dict[str, SplitWriter]) -> list[str]:
    """Return the speakers that occur in more than one split, with a warning if there are any."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for split, writer in writers.items():
        for speaker in writer.tally.speakers:
            splits[speaker].add(split)
    overlap = sorted(speaker for speaker, found in splits.items() if len(found) > 1)
    if overlap:
        log(
            f"corpus: warning: speakers overlap: {', '.join(overlap[:5])}"
            f"{', ...' if len(overlap) > 5 else ''} in more than one split;"
            " the scores say nothing about unseen speakers"
        )
    return overlap


def _describe(split: str, about: dict[str, Any]) -> str:
    return (
        f"{split} {about['utterances']} utterances of {about['speakers']} speakers,"
        f" {about['seconds'] / 60:.1f} min"
    )
