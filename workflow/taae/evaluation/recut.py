"""The test split of a corpus at another length: what length generalisation is measured on."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from taae.corpus.store import Record, Split
from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import SplitWriter
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256
from taae.utils.sample_rate import SAMPLE_RATE


def recut(corpus: Path, seconds: float, output: Path) -> None:
    """Write a corpus whose test split has one utterance of exactly `seconds` per speaker.

    It is the speaker's test utterances end to end, from the start again where they are too short
    in all, cut to length: nothing is padded, and every length holds the same voices.
    """
    samples = round(seconds * SAMPLE_RATE)
    if samples < 1:
        raise TaaeError(f"lengths: {seconds} s is no length")
    split = Split.open(corpus, "test")
    speakers: defaultdict[str, list[Record]] = defaultdict(list)
    for record in split.utterances:
        speakers[record.speaker].append(record)
    with ExitStack() as stack:
        summary = stack.enter_context(atomic(output / "corpus.json"))
        manifest = stack.enter_context(atomic(output / "test.csv"))
        audio = stack.enter_context(atomic(output / "test.npy"))
        with SplitWriter.open(audio, manifest) as writer:
            for speaker, records in speakers.items():
                spoken = np.concatenate(
                    [split.samples[r.start : r.start + r.samples] for r in records]
                )
                first = records[0]
                label = Label(f"{first.utterance}-{seconds:g}s", speaker, "test", first.source, "")
                cut = np.resize(spoken, samples)
                writer.add(Utterance(label, cut, first.loudness, first.gain_db, False, SAMPLE_RATE))
        sha256 = file_sha256(manifest)
        content = {
            "settings": {"recut": seconds},
            "splits": {"test": writer.tally.summary() | {"sha256": sha256}},
            "sha256": hashlib.sha256(sha256.encode()).hexdigest(),
        }
        summary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
