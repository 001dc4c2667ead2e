"""Packages of metrics made importable: what they import beside torch and numpy is stood in for."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest

STAND_INS = {
    "resemblyzer": ["webrtcvad", "scipy.ndimage.morphology"],
    "distillmos": ["torchaudio"],
}


def package(name, monkeypatch, *others):
    """Import a package; skip the test where it or one of `others` is not installed."""
    for needed in (name, *others):
        if find_spec(needed) is None:
            pytest.skip(f"no package {needed}")
    for module in STAND_INS[name]:
        stand_in = ModuleType(module)
        stand_in.binary_dilation = None
        monkeypatch.setitem(sys.modules, module, stand_in)
    return import_module(name)
