"""One corpus of several: their utterances split by split, in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taae.corpus.store import Split, identity_of
from taae.corpus.utterance import SPLITS
from taae.corpus.writer import stored_utterance, write_store
from taae.utils.errors import TaaeError


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
                for record in split.records():
                    other = seen.setdefault(record.utterance, folder)
                    if other != folder:
                        raise TaaeError(
                            f"{folder}: utterance {record.utterance} is in {other} too; one"
                            " corpus cannot hold both"
                        )
                    store.add(stored_utterance(split, record))
