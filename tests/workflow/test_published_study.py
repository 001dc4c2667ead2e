"""docs/study says what its tables say, and shows what they draw."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from taae.analysis.write_up import write_up
from tests.workflow.conftest import PATIENCE, ROOT

STUDY = ROOT / "docs" / "study"
OVERLAY = ROOT / "workflow" / "studies" / "published.yaml"
LARGEST = 20e6  # bytes of the page: what a static host and a clone can bear
LINKS = re.compile(r"\[[^\]]*\]\(([^)#\s]+)|(?:href|src)=\"([^\"#]+)")


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_report_is_its_template_filled_in() -> None:
    written = (STUDY / "README.md").read_text()
    assert written == write_up(STUDY / "report.md.jinja", STUDY)


def test_the_answer_in_the_readme_is_the_answer_of_the_tables() -> None:
    answer = write_up(STUDY / "answer.md.jinja", STUDY)
    assert words(answer) in words((ROOT / "README.md").read_text())


@pytest.mark.parametrize("name", ["report.md.jinja", "answer.md.jinja"])
def test_no_result_is_typed(name: str) -> None:
    """Every number with a point comes from a table."""
    text = (STUDY / name).read_text()
    prose = re.sub(r"\{[{%#].*?[}%#]\}|^    .*?$", "", text, flags=re.S | re.M)
    prose = re.sub(r"\]\([^)]*\)|`[^`]*`|arXiv \d+\.\d+|CC BY 4\.0", "", prose)
    assert re.findall(r"\S*\d*\.\d+\S*", prose) == []


@pytest.mark.parametrize("name", ["README.md", "page/index.html"])
def test_what_is_linked_is_there(name: str) -> None:
    path = STUDY / name
    links = [unquote(one or other) for one, other in LINKS.findall(path.read_text())]
    local = [link for link in links if not re.match(r"\w+:", link)]
    assert len(local) > 10
    assert [link for link in local if not (path.parent / link).exists()] == []


def test_the_page_is_small_enough_to_be_put_anywhere() -> None:
    sizes = [path.stat().st_size for path in (STUDY / "page").rglob("*") if path.is_file()]
    assert 1e6 < sum(sizes) < LARGEST


@pytest.mark.slow
def test_the_tables_draw_the_published_figures(tmp_path: Path) -> None:
    """As docs/study says: with the tables alone, `snakemake figures` draws and trains nothing."""
    (tmp_path / "results" / "tables").mkdir(parents=True)
    now = time.time()
    for table in (STUDY / "tables").iterdir():
        copy = tmp_path / "results" / "tables" / table.name
        shutil.copyfile(table, copy)
        os.utime(copy, (now, now))  # of one age, as by docs/study's command; a clone has any ages
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(tmp_path)]
    command += ["--configfile", str(OVERLAY), "--", "figures"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    drawn, published = tmp_path / "results" / "figures", STUDY / "figures"
    names = [path.relative_to(published) for path in sorted(published.rglob("*.png"))]
    assert names == [path.relative_to(drawn) for path in sorted(drawn.rglob("*.png"))]
    for name in names:
        one, other = (np.asarray(Image.open(folder / name)) for folder in (drawn, published))
        assert one.shape == other.shape, f"{name}: draw them anew, as docs/study says"
        # Another processor may round a place of a point to the next pixel.
        assert (one != other).any(axis=-1).mean() < 1e-3, name
