from pathlib import Path

import numpy as np
import pytest

from taae.corpus.store import COLUMNS, Split
from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import write_store
from taae.utils.errors import TaaeError

TEXT = 'She said, "no";\nthen left — é.'


def write(folder: Path, lengths: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    audio = [rng.integers(-32768, 32768, length).astype(np.int16) for length in lengths]
    with write_store(folder, {}, ["test"]) as store:
        for index, samples in enumerate(audio):
            label = Label(f"u{index}", "007", "test", "NA", TEXT if index == 1 else "")
            store.add(Utterance(label, samples, -20.0, 3.5, index == 1, 22050))
    return audio


def test_what_is_written_is_read(tmp_path: Path) -> None:
    audio = write(tmp_path, [100, 7, 12345])
    split = Split.open(tmp_path, "test")
    assert split.samples == 12452
    assert [record.samples for record in split.utterances] == [100, 7, 12345]
    assert [record.start for record in split.utterances] == [0, 100, 107]
    record = split.utterances[1]
    assert (record.utterance, record.speaker, record.source) == ("u1", "007", "NA")
    assert (record.text, record.peak_limited, record.gain_db) == (TEXT, True, 3.5)
    assert split.utterances[0].text == ""
    assert not split.utterances[0].peak_limited
    for index, samples in enumerate(audio):
        got = split.audio(index)
        assert got.dtype == np.float32
        assert got.min() >= -1
        assert got.max() < 1
        np.testing.assert_array_equal(got, samples / 32768)


def test_segments_cross_utterances(tmp_path: Path) -> None:
    everything = np.concatenate(write(tmp_path, [100, 7, 200])) / 32768
    split = Split.open(tmp_path, "test")
    np.testing.assert_array_equal(split.segment(90, 60), everything[90:150])
    np.testing.assert_array_equal(split.segment(0, 307), everything)
    for start, samples in ((-1, 5), (300, 8), (0, 308), (0, -1)):
        with pytest.raises(ValueError, match="not among 307"):
            split.segment(start, samples)


@pytest.mark.parametrize("lengths", [[1], [10**6], [3] * 1200])
def test_the_audio_is_a_plain_npy_file(tmp_path: Path, lengths: list[int]) -> None:
    audio = write(tmp_path, lengths)
    loaded = np.load(tmp_path / "test.npy")
    assert loaded.dtype == np.int16
    np.testing.assert_array_equal(loaded, np.concatenate(audio))


def test_the_columns_of_the_manifest(tmp_path: Path) -> None:
    write(tmp_path, [5])
    header, row = (tmp_path / "test.csv").read_text().splitlines()
    assert header.split(",") == list(COLUMNS)
    assert row.startswith("u0,007,test,0,5,-20.0,3.5,0,NA,,")


@pytest.mark.parametrize("name", ["test.npy", "test.csv", "corpus.json"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    write(tmp_path, [5])
    (tmp_path / name).unlink()
    with pytest.raises(TaaeError, match=rf"{name}: no such file; rerun rule corpus"):
        _ = Split.open(tmp_path, "test").utterances


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    write(tmp_path, [100, 50])
    np.save(tmp_path / "test.npy", np.zeros(149, np.int16))
    with pytest.raises(TaaeError, match=r"json describes 150 int16 samples; rerun rule"):
        Split.open(tmp_path, "test")
    np.save(tmp_path / "test.npy", np.zeros(150, np.float32))
    with pytest.raises(TaaeError, match="float32"):
        Split.open(tmp_path, "test")
    np.save(tmp_path / "test.npy", np.zeros(150, np.int16))
    Split.open(tmp_path, "test")
    manifest = (tmp_path / "test.csv").read_text()
    (tmp_path / "test.csv").write_text(manifest.replace("u1", "u2"))
    with pytest.raises(TaaeError, match=r"not the manifest .* rerun rule corpus"):
        _ = Split.open(tmp_path, "test").utterances


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.npy", b""),
        ("test.npy", b"\x93NUMPY"),
        ("test.csv", b"a,b\n1,2\n"),
        ("test.csv", b"\xff\xfe\x00"),
        ("corpus.json", b"{"),
        ("corpus.json", b"[]"),
        ("corpus.json", b"{}"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    write(tmp_path, [5])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TaaeError, match="rerun rule corpus"):
        _ = Split.open(tmp_path, "test").utterances


def test_an_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="no split 'dev'; there are train, validation, test"):
        Split.open(tmp_path, "dev")
