"""Test utterances under hard conditions: what the codec was given, and what came out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from taae.codec.bitstream.entropy_model import Codes
from taae.corpus.alter import altered
from taae.corpus.config import Alteration
from taae.corpus.store import Record, Split
from taae.evaluation.decode import Halves
from taae.evaluation.decoded_files import Audio
from taae.evaluation.robustness import conditions
from taae.evaluation.robustness.channel import concealed, draws, flipped, share_changed
from taae.evaluation.robustness.conditions import Condition
from taae.evaluation.robustness.config import Robustness
from taae.utils.audio import from_int16, to_int16
from taae.utils.sample_rate import SAMPLE_RATE

# The setting of `Alteration` that each condition of the input is.
ALTERED = {conditions.GAIN: "gain_db", conditions.NOISE: "noise_db", conditions.BAND: "band_hz"}


class Trial(NamedTuple):
    """An utterance under a condition: `given` to the codec, and `decoded`, both (samples,).

    `changed` is the share of codes that are not as before: as they were sent (flips and losses), or
    as in the pass before; NaN where nothing changes codes.
    """

    record: Record
    given: Audio
    decoded: Audio
    changed: float


class _Passed(NamedTuple):
    """An utterance after so many passes: the codes of the last one, and what they decode to."""

    passes: int
    codes: Codes
    audio: Audio


class Trials:
    """The test utterances of a corpus under one condition after the other, encoded once.

    More passes go on where fewer ended: ask for them in rising order.
    """

    def __init__(self, codec: Halves, split: Split, settings: Robustness) -> None:
        self.codec, self.split, self.settings = codec, split, settings
        self._sent = [codec.encode(split.audio(index)) for index in range(len(split.utterances))]
        self._passed: dict[int, _Passed] = {}

    def under(self, condition: Condition) -> Iterator[Trial]:
        """Yield every utterance under a condition."""
        for index, record in enumerate(self.split.utterances):
            spoken, sent = self.split.audio(index), self._sent[index]
            if condition.name in ALTERED:
                given = self._altered(spoken, condition, record.utterance)
                decoded = self.codec.decode(self.codec.encode(given), given.size)
                yield Trial(record, given, decoded, math.nan)
            elif condition.name == conditions.PASS:
                decoded, changed = self._again(index, spoken, int(condition.amount))
                yield Trial(record, spoken, decoded, changed)
            elif condition.name == conditions.CLEAN:
                yield Trial(record, spoken, self.codec.decode(sent, spoken.size), math.nan)
            else:
                codes = self._received(sent, condition, record.utterance)
                decoded = self.codec.decode(codes, spoken.size)
                yield Trial(record, spoken, decoded, share_changed(sent, codes))

    def _altered(self, spoken: Audio, condition: Condition, utterance: str) -> Audio:
        setting: dict[str, Any] = {ALTERED[condition.name]: condition.amount}
        alteration = Alteration(**setting, seed=self.settings.seed)
        return as_file(altered(spoken, alteration, utterance))

    def _received(self, sent: Codes, condition: Condition, utterance: str) -> Codes:
        if condition.name == conditions.LOSS:
            burst = burst_frames(self.settings.burst_ms, self.codec.hop)
            random = draws(self.settings.seed, conditions.LOSS, utterance)
            return concealed(sent, condition.amount, burst, random)
        random = draws(self.settings.seed, conditions.FLIP, utterance)
        to = condition.name.removeprefix(conditions.FLIP)
        return flipped(sent, self.codec.levels, condition.amount, to, random)

    def _again(self, index: int, spoken: Audio, passes: int) -> tuple[Audio, float]:
        """Return what comes out of so many passes, and the share of codes that the last changed."""
        done, codes, audio = self._passed.get(index) or _Passed(1, self._sent[index], spoken)
        if done == 1:
            audio = as_file(self.codec.decode(codes, spoken.size))
        changed = math.nan
        for _ in range(passes - done):
            before, codes = codes, self.codec.encode(audio)
            changed = share_changed(before, codes)
            audio = as_file(self.codec.decode(codes, spoken.size))
        self._passed[index] = _Passed(passes, codes, audio)
        return audio, changed


def as_file(audio: Audio) -> Audio:
    """Return what a 16-bit file keeps of (samples,): rounded, and clipped to +-1."""
    return from_int16(to_int16(audio))


def burst_frames(burst_ms: float, hop: int) -> int:
    """Return the latent frames of a burst: whole ones, at least one."""
    return max(1, round(burst_ms / 1000 * SAMPLE_RATE / hop))
