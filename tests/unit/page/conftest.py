"""Two pages for the tests of this folder: sounds in WAV, and in Opus."""

from __future__ import annotations

from pathlib import Path

import pytest

from taae.page.write import write_page
from tests.unit.page.pages import config, study, write_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a study, its page among them, with WAV files."""
    folder = tmp_path_factory.mktemp("with space & %20") / "results"
    write_results(study(), folder)
    write_page(study(), config(), folder)
    return folder


@pytest.fixture(scope="session")
def opus_results(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with Opus files."""
    folder = tmp_path_factory.mktemp("opus")
    for path in results.iterdir():
        if path.name != "page":
            (folder / path.name).symlink_to(path)
    write_page(study(sounds="opus"), config(), folder)
    return folder
