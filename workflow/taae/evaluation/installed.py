"""Whether the packages and weights are there that optional metrics need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from taae.evaluation.config import Speaker
from taae.evaluation.metrics import METRICS
from taae.utils.errors import TaaeError


def check_installed(names: Iterable[str], speaker: Speaker | None = None) -> None:
    """Raise a `TaaeError` for a metric that lacks a package or weights; nothing is imported."""
    speaker = speaker or Speaker()
    for name in names:
        metric = METRICS[name]
        if name == "speaker_ge2e" and speaker.ge2e_weights:
            if not Path(speaker.ge2e_weights).is_file():
                raise TaaeError(f"{name}: no file {speaker.ge2e_weights}; needs {metric.needs}")
            continue  # the package has nothing else that is needed
        if any(find_spec(module) is None for module in metric.modules):
            raise TaaeError(f"{name} needs a package that is not installed, {metric.needs}")
        if name == "speaker_wavlm" and not speaker.wavlm_weights:
            raise TaaeError(f"{name} needs {metric.needs}")
