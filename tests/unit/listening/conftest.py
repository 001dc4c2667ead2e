"""Results that every test of this folder reads and none changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.listening import made


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.results(tmp_path_factory.mktemp("listening") / "results")
