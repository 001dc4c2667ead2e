"""A test set that is another one, altered: the same utterances under the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taae.corpus.alter import Audio, altered
from taae.corpus.config import Alteration
from taae.corpus.prepare import check
from taae.corpus.store import Record, Split
from taae.corpus.utterance import Label, Outcome, Rejected, Utterance
from taae.corpus.writer import write_store
from taae.utils.audio import RejectedError, decibel, loudness_gain, to_int16
from taae.utils.errors import TaaeError
from taae.utils.log import log, progress
from taae.utils.sample_rate import SAMPLE_RATE


def alter_corpus(source: Path, name: str, settings: dict[str, Any], output: Path) -> None:
    """Write the test split of the corpus in `source`, altered, as a corpus of that split alone.

    Its `loudness` is measured, `gain_db` has the gain of the alteration too, and `peak_limited` is
    1 where samples beyond full scale were clipped. What is too soft to be measured is rejected.

    Args:
        source: folder of a corpus.
        name: of the test set, on which the draws depend: a set of a set gets other noise.
        settings: of the test set, as `taae.corpus.config.TestSet.chosen` gives them.
        output: folder of the new corpus.

    Raises:
        TaaeError: nothing can be heard once altered, more is rejected than `max_rejected` allows,
            or there is no other utterance for babble.
    """
    how = {field: settings["altered"][field] for field in Alteration.__dataclass_fields__}
    alteration, data = Alteration(**how), Split.open(source, "test")
    clipped = 0
    with write_store(output, settings, ["test"]) as store:
        for index, record in enumerate(progress(data.utterances, len(data.utterances), "altering")):
            others = _others(data, record) if alteration.noise == "babble" else []
            key = f"{name}/{record.utterance}"
            audio = altered(data.audio(index), alteration, key, others)
            clipped += int((np.abs(audio) > 1).sum())
            store.add(_outcome(record, audio, alteration.gain_db))
        if not store.rates:
            raise TaaeError(f"{source}: none of its test utterances can be heard once altered")
        check(store, settings["max_rejected"], "make them louder")
    if store.rejected:
        log(
            f"{output}: warning: {len(store.rejected)} of {len(data.utterances)} utterances are too"
            " soft once altered, and left out"
        )
    if clipped:
        log(f"{output}: warning: {clipped} samples beyond full scale were clipped")


def _others(data: Split, record: Record) -> list[NDArray[np.int16]]:
    """Return the utterances of other speakers; where there are none, the speaker's others."""
    found = [each for each in data.utterances if each.speaker != record.speaker]
    found = found or [each for each in data.utterances if each.utterance != record.utterance]
    if not found:
        raise TaaeError(f"{data.manifest}: one utterance alone; babble is made of others")
    return [data.stored(each.start, each.samples) for each in found]


def _outcome(record: Record, audio: Audio, gain_db: float) -> Outcome:
    label = Label(record.utterance, record.speaker, record.split, record.source, record.text)
    try:
        gain, reached = loudness_gain(audio.astype(np.float64), record.loudness)
    except RejectedError as error:
        return Rejected(label, error.reason, error.detail)
    beyond = bool((np.abs(audio) > 1).any())
    loudness, gain_db = reached - decibel(gain), record.gain_db + gain_db
    return Utterance(label, to_int16(audio), loudness, gain_db, beyond, SAMPLE_RATE)
