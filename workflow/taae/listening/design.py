"""What listeners are asked: designs, and the trials of a test."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from taae.utils.errors import TaaeError
from taae.utils.fingerprint import digest

if TYPE_CHECKING:
    from taae.study.study import Study

DesignName = Literal["mushra", "ab", "dcr"]
FORMAT = "taae-listening-test/1"
KEY = "key.json"  # in the folder of a test: which file is which arm
SENT, RATINGS = "send", "ratings"  # its folders
# Signals that no arm decodes; no variant's name has an underscore.
HIDDEN, LOW_ANCHOR, MID_ANCHOR = "hidden_reference", "anchor_3500", "anchor_7000"
ADDED = (HIDDEN, LOW_ANCHOR, MID_ANCHOR)


@dataclass(frozen=True)
class Design:
    """How one signal or pair is rated: `metric` by whole numbers from `lowest` to `highest`.

    `added` are the signals of a trial beside its arms; `open_reference` says that listeners can
    always hear the reference. An AB test's ratings are 1 for the preferred signal and 0 for the
    other.
    """

    metric: str
    lowest: int
    highest: int
    open_reference: bool
    added: tuple[str, ...] = ()


DESIGNS: dict[str, Design] = {
    "mushra": Design("mushra", 0, 100, True, ADDED),
    "ab": Design("preference", 0, 1, False),
    "dcr": Design("dcr", 1, 5, True, (HIDDEN,)),
}
MOST_SIGNALS = 12  # of a trial; ITU-R BS.1534-3
MOST_TRIALS = 100  # of a listener


@dataclass(frozen=True)
class Arm:
    """Where the audio of an arm comes from, and what its rows of scores say of it."""

    run: str
    seed: int
    bitrate: float


@dataclass(frozen=True)
class Trial:
    """One screen of the test: `signals` maps names of files to arms.

    `reference` is the file of the open reference, empty where there is none. `against` is the arm
    that the other one of a pair is compared with.
    """

    trial: str
    utterance: str
    speaker: str
    training: bool
    signals: dict[str, str]
    reference: str = ""
    against: str = ""


@dataclass(frozen=True)
class ListeningTest:
    """A test, with what only the experimenter knows.

    `salt` is what the names of files are drawn by; `settings` is `settings_of` its study; `files`
    maps names of files to SHA-256.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    design: DesignName
    seed: int
    salt: str
    settings: str
    arms: dict[str, Arm]
    trials: list[Trial]
    volume: str
    files: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A hash of all of it, which the ratings of the test repeat."""
        return digest(TypeAdapter(ListeningTest).dump_python(self))[:16]

    @property
    def rated(self) -> list[Trial]:
        """The trials whose ratings count."""
        return [trial for trial in self.trials if not trial.training]

    def manifest(self) -> dict[str, Any]:
        """Return what the page says of the test: no arm, speaker or utterance."""
        return {
            "test": self.name,
            "design": self.design,
            "volume": self.volume,
            "trials": [
                {
                    "trial": trial.trial,
                    "training": trial.training,
                    "reference": trial.reference,
                    "signals": sorted(trial.signals),
                }
                for trial in sorted(self.trials, key=lambda trial: trial.trial)
            ],
        }

    def key(self) -> dict[str, Any]:
        """Return the content of key.json."""
        metric = DESIGNS[self.design].metric
        content: dict[str, Any] = TypeAdapter(ListeningTest).dump_python(self)
        return {"format": FORMAT, "test": self.name, "metric": metric, **content}


def settings_of(study: Study, names: Collection[str]) -> str:
    """Return a hash of the settings of the corpus and of arms, which are in the study."""
    known: dict[str, Any] = {**study.variants, **study.codecs}
    return digest({"corpus": study.corpus, "arms": {name: asdict(known[name]) for name in names}})


def check_study(test: ListeningTest, study: Study) -> None:
    """Raise a `TaaeError` unless the arms of a test are arms of this study, with its settings."""
    for name in test.arms:
        if name not in study.variants and name not in study.codecs:
            raise TaaeError(f"test {test.name}: is of another study: there is no arm '{name}'")
    if test.settings != settings_of(study, test.arms):
        raise TaaeError(
            f"test {test.name}: the settings of its arms or of the corpus were changed since:"
            " listeners heard other codecs; make a new test"
        )


def read_key(folder: Path) -> ListeningTest:
    """Read the test of a folder that `taae listen` wrote; every failure is a `TaaeError`."""
    path = folder / KEY
    try:
        content = json.loads(path.read_bytes())
        named = {name: content.pop(name) for name in ("format", "test", "metric")}
        test = TypeAdapter(ListeningTest).validate_json(json.dumps(content))
    except FileNotFoundError:
        raise TaaeError(f"{path}: no such file; it lies where `taae listen` wrote it") from None
    except (OSError, ValueError, KeyError, AttributeError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise TaaeError(f"{path}: no key of a listening test ({why})") from error
    if named["format"] != FORMAT:
        raise TaaeError(f"{path}: of the format {named['format']}, not {FORMAT}; write it again")
    if named["test"] != test.name:
        raise TaaeError(f"{path}: was changed since `taae listen` wrote it; restore it")
    return test


def contents(design: DesignName, arms: Sequence[str]) -> list[tuple[list[str], str]]:
    """Return the signals of each trial with one utterance, and the arm that a pair is against.

    Raises:
        TaaeError: too many signals for a trial, or nothing to compare.
    """
    if design == "ab":
        if len(arms) < 2:
            raise TaaeError("ab: compares a first arm with others; give two or more")
        return [([arms[0], other], arms[0]) for other in arms[1:]]
    signals = [*arms, *DESIGNS[design].added]
    if design == "dcr":
        return [([signal], "") for signal in signals]
    if len(signals) > MOST_SIGNALS:
        most = MOST_SIGNALS - len(DESIGNS[design].added)
        raise TaaeError(
            f"mushra: {len(arms)} arms are too many for a trial, which has at most {MOST_SIGNALS}"
            f" signals, hidden reference and anchors included (BS.1534); choose up to {most} by"
            " --ablation or --arms"
        )
    return [(signals, "")]


def plan(
    design: DesignName, arms: Sequence[str], utterances: Mapping[str, str], salt: str
) -> list[Trial]:
    """Return the trials, with names of trials and files that tell nothing.

    The first utterance is for training, which has one trial.

    Args:
        utterances: speaker of each, in order.
        salt: that the names are drawn by.
    """
    draw = random.Random(salt)
    trials = []
    for number, (utterance, speaker) in enumerate(utterances.items()):
        reference = _name(draw) if DESIGNS[design].open_reference else ""
        training = number == 0
        for heard, against in contents(design, arms)[: 1 if training else None]:
            signals = {_name(draw): arm for arm in heard}
            trials.append(
                Trial(_name(draw), utterance, speaker, training, signals, reference, against)
            )
    rated = sum(not trial.training for trial in trials)
    if rated > MOST_TRIALS:
        raise TaaeError(
            f"{design}: {rated} trials are too many for a listener (at most {MOST_TRIALS}); choose"
            " fewer --utterances, or arms by --ablation or --arms"
        )
    return trials


def _name(draw: random.Random) -> str:
    # Begins with a letter: to YAML, 1e2 is a number.
    return f"s{draw.randbytes(8).hex()}"
