import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from taae.corpus.prepare import BATCH_SECONDS, batches_of
from taae.corpus.recordings import (
    LONGEST_ID,
    TOGETHER,
    Entry,
    Recording,
    find_audio,
    limit_test,
    plan,
    utterance_ids,
)
from taae.corpus.utterance import Label, printable
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import TaaeError

CORPUS = {
    "kind": "folder",
    "seed": 1,
    "loudness": -20.0,
    "min_seconds": 0.5,
    "max_seconds": 120.0,
    "folder": {"test_utterances": 20},
}
ODD_NAMES = ["-rf.wav", "a b.WAV", "quo\"te's.Flac", "new\nline.wav", "日本.ogg", "$(x);&.mp3"]


def recording(name: str, speaker: str = "s", split: str = "test") -> Recording:
    return Recording(name, 32_000, Label(name, speaker, split, name, ""))


def ids(paths: list[str]) -> list[str]:
    return utterance_ids([Path(path) for path in paths], [path.rsplit(".", 1)[0] for path in paths])


def test_audio_of_any_name_is_found_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in [*ODD_NAMES, "b/x.wav", "notes.txt", "wav", ".wav"]:
        (tmp_path / name).touch()
    found = find_audio(tmp_path)
    assert found == sorted(Path(name) for name in [*ODD_NAMES, "b/x.wav"])


def test_loops_of_links_end_and_links_to_files_count(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/x.wav").touch()
    (tmp_path / "deep/loop").symlink_to(tmp_path)
    (tmp_path / "y.wav").symlink_to(tmp_path / "deep/x.wav")
    assert find_audio(tmp_path) == [Path("deep/x.wav"), Path("y.wav")]


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    soundfile.write(raw, np.zeros(10), 16_000, format="WAV")
    (path,) = find_audio(tmp_path)
    assert len(read_audio(tmp_path / path)[0]) == 10
    assert printable(str(path)) == r"caf\udce9.wav"
    assert utterance_ids([path], [path.stem]) == ["caf_"]


FILE_NAME_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.lists(st.text(FILE_NAME_CHARACTERS, min_size=1), unique=True))
def test_ids_are_unique_and_safe(names: list[str]) -> None:
    paths = list({Path(name): name for name in names})
    found = utterance_ids(paths, [path.as_posix() for path in paths])
    assert len({name.lower() for name in found}) == len(paths)
    for name in found:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,139}", name), name


def test_ids_of_plain_names_are_plain() -> None:
    assert ids(["p225/p225_001.wav", "p226/x y.wav"]) == ["p225-p225_001", "p226-x_y"]
    assert ids(["../-rf.wav", "語.wav"]) == ["rf", "_"]


def test_ids_that_collide_depend_on_the_path_not_on_the_order() -> None:
    paths = ["a.wav", "a.flac", "a-b.wav", "a/b.wav", "x y.wav", "x?y.wav", "Q.wav", "q.wav"]
    found = dict(zip(paths, ids(paths), strict=True))
    assert len({name.lower() for name in found.values()}) == len(paths)
    assert all(re.fullmatch(r".+-[0-9a-f]{12}", name) for name in found.values())
    assert dict(zip(paths[::-1], ids(paths[::-1]), strict=True)) == found
    long = ids(["a" * 200 + ".wav"])[0]
    assert len(long) == LONGEST_ID + 13


def test_limit_of_test_utterances() -> None:
    found = [recording(f"{speaker}{number}", speaker) for speaker in "ab" for number in range(10)]
    found += [recording(f"c{number}", "c", "train") for number in range(10)]
    kept = limit_test(found, 3, seed=1)
    assert [sum(item.label.speaker == speaker for item in kept) for speaker in "abc"] == [3, 3, 10]
    assert kept == sorted(kept, key=found.index)
    assert kept == limit_test(found, 3, seed=1)
    assert kept != limit_test(found, 3, seed=2)
    assert limit_test(found, 10, seed=1) == found


@pytest.mark.parametrize(("seconds", "files"), [(0.1, TOGETHER), (BATCH_SECONDS // 3 + 1, 3)])
def test_batches_keep_the_order_and_are_small(tmp_path: Path, seconds: float, files: int) -> None:
    names = [str(number) for number in range(150)]
    for name in names:
        with (tmp_path / f"{name}.wav").open("wb") as file:
            file.truncate(round(seconds * 32_000))  # 16 bits at 16 kHz
    entries = [Entry(f"{name}.wav", "s", "train") for name in names]
    batches = [*batches_of(plan(entries, names, tmp_path, CORPUS).items, TOGETHER)]
    assert [item.path for batch in batches for item in batch] == [entry.path for entry in entries]
    assert [item.label.utterance for batch in batches for item in batch] == names
    assert max(map(len, batches)) == files


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(22_050) / 22_050)
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([tone, 0 * tone], axis=1), 22_050)
    audio, rate = read_audio(path)
    assert (audio.shape, rate) == ((22_050, 2), 22_050)
    assert np.std(audio[:, 0]) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    assert np.abs(audio[:, 1]).max() < 0.02


def reason(path: Path) -> str:
    with pytest.raises(RejectedError) as caught:
        read_audio(path)
    return caught.value.reason


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_file_that_ends_too_early(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, np.random.default_rng(0).normal(size=32_000) / 10, 16_000)
    path.write_bytes(path.read_bytes()[:-6000])
    assert reason(path) == "unreadable"


def test_files_that_are_no_audio(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio at all, but a few words\n" * 10)
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "nothing.wav").touch()
    assert reason(tmp_path / "text.wav") == "unreadable"
    assert reason(tmp_path / "folder.wav") == "unreadable"
    assert reason(tmp_path / "gone.wav") == "unreadable"
    assert reason(tmp_path / "nothing.wav") == "empty"


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="not a readable folder"):
        find_audio(tmp_path / "gone")
