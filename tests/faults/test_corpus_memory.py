"""Memory of preparing, planning and opening a corpus: bounded by a job, not by the audio."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from taae.corpus import folder, prepare
from taae.corpus.config import Corpus
from taae.corpus.store import COLUMNS, Split
from taae.corpus.utterance import SPLITS, Kind, Label, Outcome, Plan, Utterance
from taae.utils.settings import validate
from tests.scale import corpus as scale

SAMPLES = 500_000  # of a job: 1 MB


@dataclass(frozen=True)
class Noise:
    number: int
    seconds: float = SAMPLES / 16_000


def work(items: Sequence[Noise]) -> list[Outcome]:
    number = items[0].number
    label = Label(f"u{number}", f"s{number % 3}", SPLITS[number % 3], "", "")
    noise = np.random.default_rng(number).integers(-100, 100, SAMPLES).astype(np.int16)
    return [Utterance(label, noise, -20.0, 0.0, False, 16_000)]


def peak(function: Callable[[], object]) -> int:
    """Return the largest number of bytes that Python and numpy held at once."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_six_times_the_audio_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(jobs: int) -> int:
        kind = Kind(lambda _: Plan([*map(Noise, range(jobs))], {}), work, Noise)
        monkeypatch.setitem(prepare.KINDS, "folder", kind)
        corpus = {"kind": "folder", "max_rejected": 0.0}
        found = peak(lambda: prepare.prepare(corpus, tmp_path / str(jobs), workers=2))
        written = sum(path.stat().st_size for path in (tmp_path / str(jobs)).iterdir())
        assert written > jobs * 2 * SAMPLES
        return found

    few, many = run(8), run(48)
    assert many < few + 4_000_000, f"{few} bytes for 8 MB, {many} for 48 MB"
    assert many < 40_000_000


def test_planning_takes_less_than_a_kilobyte_a_file(tmp_path: Path) -> None:
    files = 4000
    rows = []
    for number in range(files):
        speaker = tmp_path / "in" / f"speaker{number // 100:05d}"
        speaker.mkdir(parents=True, exist_ok=True)
        (speaker / f"book{number // 50:06d}-{number:08d}.flac").touch()
        split = SPLITS[min(number // 100, 2)]
        rows.append(
            f"{speaker.name}/book{number // 50:06d}-{number:08d}.flac,{speaker.name},{split}"
        )
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,speaker,split\n" + "\n".join(rows) + "\n")
    settings = {"path": str(tmp_path / "in"), "manifest": str(manifest), "test_utterances": files}
    corpus = validate(Corpus, {"kind": "folder", "folder": settings}).chosen()
    folder.plan(corpus)  # what is loaded once does not count
    # Python's table of interned strings, which holds parts of paths, may grow in one of them.
    assert min(peak(lambda: folder.plan(corpus)) for _ in range(5)) < 1000 * files


def test_opening_a_split_takes_no_memory_for_its_rows(tmp_path: Path) -> None:
    rows = 20_000
    lines = [",".join(COLUMNS)]
    lines += [f"u{n:08d},s,train,{n},1,-20.0,0.0,0,in/{n}.flac,,{'0' * 64}" for n in range(rows)]
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    digest = hashlib.sha256((tmp_path / "train.csv").read_bytes()).hexdigest()
    summary = {"splits": {"train": {"sha256": digest, "samples": rows}}, "shards": []}
    (tmp_path / "corpus.json").write_text(json.dumps(summary))
    np.save(tmp_path / "train.npy", np.zeros(rows, np.int16))
    assert peak(lambda: Split.open(tmp_path, "train")) < 500_000
    split = Split.open(tmp_path, "train")
    assert len(split.utterances) == rows
    assert split.utterances is split.utterances


def test_a_training_takes_no_more_memory_for_a_hundred_times_the_rows(tmp_path: Path) -> None:
    def begun(rows: int) -> int:
        scale.write(tmp_path / str(rows), rows, joined=False)
        scale.begin(tmp_path / str(rows))  # what is loaded once does not count
        found = peak(lambda: scale.begin(tmp_path / str(rows)))
        (tmp_path / str(rows) / "corpus/train.csv").unlink()
        return found

    few, many = begun(10_000), begun(1_000_000)
    assert many < few + 100_000, f"{few} bytes for 10^4 rows, {many} for 10^6"
