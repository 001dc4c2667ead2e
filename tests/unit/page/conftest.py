"""One page for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from taae.page.write import write_page
from tests.unit.page.pages import config, study, write_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a study, its page among them."""
    folder = tmp_path_factory.mktemp("with space & %20") / "results"
    write_results(study(), folder)
    write_page(study(), config(), folder)
    return folder
