"""Whether the packages are there that optional metrics need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from taae.evaluation.metrics import METRICS
from taae.utils.errors import TaaeError


def check_installed(names: Iterable[str]) -> None:
    """Raise a `TaaeError` for a metric whose package is not installed; nothing is imported."""
    for name in names:
        metric = METRICS[name]
        if any(find_spec(module) is None for module in metric.modules):
            raise TaaeError(f"{name} needs a package that is not installed, {metric.needs}")
