"""One corpus of several: their utterances split by split, in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from taae.corpus.store import Split, identity_of
from taae.corpus.utterance import SPLITS, Label, Utterance
from taae.corpus.writer import write_store
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE


def merge(corpora: Sequence[Path], output: Path) -> None:
    """Write the corpus of all `corpora` to `output`; the samples stay as they are.

    Raises:
        TaaeError: two corpora share the name of an utterance, or a file is missing or damaged.
    """
    seen: dict[str, Path] = {}
    with write_store(output, {"merged": [identity_of(folder) for folder in corpora]}) as store:
        for name in SPLITS:
            for folder in corpora:
                split = Split.open(folder, name)
                for record in split.utterances:
                    other = seen.setdefault(record.utterance, folder)
                    if other != folder:
                        raise TaaeError(
                            f"{folder}: utterance {record.utterance} is in {other} too; one"
                            " corpus cannot hold both"
                        )
                    fields = asdict(record)
                    label = Label(**{key: fields[key] for key in Label.__slots__})
                    samples = split.samples[record.start : record.start + record.samples]
                    store.add(
                        Utterance(
                            label,
                            samples,
                            record.loudness,
                            record.gain_db,
                            bool(record.peak_limited),
                            SAMPLE_RATE,
                        )
                    )
