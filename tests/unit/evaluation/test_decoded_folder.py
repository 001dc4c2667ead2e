"""A folder of audio that was decoded elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from taae.evaluation.decoded_files import write_reference
from taae.evaluation.other_codecs.lag import FARTHEST, Lag
from taae.evaluation.scoring.score import Scoring, score_folders
from taae.utils.errors import TaaeError
from tests.unit.evaluation.own_codecs import coded, corpus, settings_of
from tests.unit.evaluation.speechlike import noisy, speech


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus, its references, and in decoded/ what a codec made of them 123 samples late."""
    write_reference(corpus(tmp_path), tmp_path / "reference")
    (tmp_path / "decoded").mkdir()
    for path in (tmp_path / "reference/audio").glob("*.flac"):
        audio, rate = soundfile.read(path)
        late = np.concatenate([np.zeros(123), noisy(audio, 10)])
        soundfile.write(tmp_path / f"decoded/{path.stem}.wav", late, rate)
    return tmp_path


def settings(folder: Path, **keys: object):
    return settings_of("folder", path=str(folder / "decoded"), bitrate=1234.5, **keys)


def test_a_delay_is_told_and_not_taken_out(folder: Path) -> None:
    about, table = coded(settings(folder), folder)
    assert about["bitrate"] == 1234.5
    assert (about["rate_hz"], about["resampling"]) == (16_000, "none")
    assert (about["delay_samples"], about["lag_samples"]) == (0, 123)
    assert sorted(table["utterance"]) == ["a-1", "b-1"]
    given_, _ = soundfile.read(folder / "decoded/a-1.wav", dtype="int16")
    written, _ = soundfile.read(folder / "out/audio/a-1.flac", dtype="int16")
    np.testing.assert_array_equal(written, given_[: written.size])


def test_a_delay_is_taken_out_where_it_is_asked(folder: Path) -> None:
    about, _ = coded(settings(folder, align=True), folder)
    assert (about["delay_samples"], about["lag_samples"]) == (123, 0)
    given_, _ = soundfile.read(folder / "decoded/a-1.wav", dtype="int16")
    written, _ = soundfile.read(folder / "out/audio/a-1.flac", dtype="int16")
    np.testing.assert_array_equal(written, given_[123:])


@pytest.mark.parametrize("late", [800, -800])
@pytest.mark.parametrize("whole", [False, True])
def test_a_long_delay_is_taken_out_of_files_of_any_length(
    folder: Path, late: int, whole: bool
) -> None:
    """Files as long as the references, and files that are longer or shorter by the delay."""
    for path in (folder / "decoded").iterdir():
        audio, rate = soundfile.read(folder / f"reference/audio/{path.stem}.flac")
        moved = np.concatenate([np.zeros(max(0, late)), audio[max(0, -late) :]])
        soundfile.write(path, moved if whole else np.resize(moved, audio.size), rate)
    about, _ = coded(settings(folder, align=True), folder)
    assert (about["delay_samples"], about["lag_samples"]) == (late, 0)
    for path in (folder / "decoded").iterdir():
        expected, written = (
            soundfile.read(folder / f"{place}/audio/{path.stem}.flac", dtype="int16")[0]
            for place in ("reference", "out")
        )
        assert written.size == expected.size
        np.testing.assert_array_equal(written[800:-800], expected[800:-800])


def test_files_of_another_rate_are_resampled_and_it_is_told(folder: Path) -> None:
    for path in (folder / "decoded").iterdir():
        audio, rate = soundfile.read(path)
        soundfile.write(path, soxr.resample(audio, rate, 24_000), 24_000)
    about, _ = coded(settings(folder), folder)
    assert about["rate_hz"] == 24_000
    assert about["resampling"].startswith("soxr ")
    assert about["lag_samples"] == 123


def test_missing_files_have_a_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "decoded/b-1.wav").unlink()
    about, table = coded(settings(folder), folder)
    assert list(table["utterance"]) == ["a-1"]
    assert about["status"] == "ok"
    assert "no audio of 1 utterances" in capsys.readouterr().err
    score_folders(
        folder / "reference/audio", folder / "out/audio", folder / "scores.csv",
        Scoring(["si_sdr"], max_failed=0.5, max_seconds=30.0),
    )  # fmt: skip
    scores = pd.read_csv(folder / "scores.csv").set_index("utterance")
    assert scores["status"].to_dict() == {"a-1": "ok", "b-1": "missing"}


def rename(folder: Path) -> None:
    for path in (folder / "decoded").iterdir():
        path.rename(path.with_name(f"x{path.name}"))


def stereo(folder: Path) -> None:
    soundfile.write(folder / "decoded/b-1.wav", np.zeros((9, 2)), 16_000)


def other_rate(folder: Path) -> None:
    soundfile.write(folder / "decoded/b-1.wav", np.zeros(9), 8_000)


def twice(folder: Path) -> None:
    soundfile.write(folder / "decoded/a-1.flac", np.zeros(9), 16_000)


def short(folder: Path) -> None:
    soundfile.write(folder / "decoded/a-1.wav", np.zeros(9), 16_000)


def no_audio(folder: Path) -> None:
    (folder / "decoded/b-1.wav").write_bytes(b"nothing")


def empty(folder: Path) -> None:
    for path in (folder / "decoded").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rename, "no audio of any test utterance; their names are such as b-1|a-1"),
        (stereo, "b-1.wav: 2 channels; mono"),
        (other_rate, "b-1.wav: 8000 Hz, but other files have 16000 Hz"),
        (twice, "a-1.flac: is there twice, also as a-1.wav"),
        (short, r"a-1: mine gives 9 samples for 11360"),
        (no_audio, "b-1.wav: not a readable audio file"),
        (empty, "decoded: no .flac and no .wav file"),
    ],
)
def test_folders_that_are_wrong(folder: Path, spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(TaaeError, match=message):
        coded(settings(folder), folder)


def test_what_keeps_no_waveform_is_not_aligned(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for path in (folder / "decoded").iterdir():
        soundfile.write(path, 0.1 * rng.normal(size=soundfile.info(path).frames), 16_000)
    about, _ = coded(settings(folder), folder)
    assert about["lag_samples"] is None
    with pytest.raises(TaaeError, match="align: no delay can be found"):
        coded(settings(folder, align=True), folder)


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(TaaeError, match="path: no folder nowhere"):
        settings_of("folder", path="nowhere", bitrate=1)


def test_each_test_set_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """The utterances of an altered set have the names of what it is made of."""
    alone = settings_of("folder", path=str(tmp_path), bitrate=1)
    with pytest.raises(TaaeError, match=r"path: \{test\} is missing: .* main, noisy"):
        alone.check(["main", "noisy"])
    (tmp_path / "main").mkdir()
    each = settings_of("folder", path=f"{tmp_path}/{{test}}", bitrate=1)
    with pytest.raises(TaaeError, match=r"path: no folder .*/noisy$"):
        each.check(["main", "noisy"])
    (tmp_path / "noisy").mkdir()
    each.check(["main", "noisy"])
    assert each.of("noisy").path == f"{tmp_path}/noisy"


def test_another_content_reruns_it(folder: Path) -> None:
    known = settings(folder)
    seen = [known.dependencies()]
    (folder / "decoded/a-1.wav").write_bytes(b"shorter")
    seen.append(known.dependencies())
    (folder / "decoded/c-1.wav").write_bytes(b"")
    seen.append(known.dependencies())
    assert len({str(each) for each in seen}) == 3
    assert known.dependencies() == seen[-1]


@given(st.integers(-FARTHEST, FARTHEST), st.sampled_from([1.0, -0.3]))
def test_any_delay_is_found_exactly(late: int, gain: float) -> None:
    audio = speech(0.8, 1)
    moved = gain * np.concatenate([np.zeros(max(0, late)), audio[max(0, -late) :]])
    lag = Lag()
    assert lag.samples() is None
    lag.add(audio.astype(np.float32), moved.astype(np.float32))
    assert (lag.samples(), lag.others()) == (late, 0)
    lag.add(0.1 * audio.astype(np.float32), 0.1 * np.roll(audio, late - 40).astype(np.float32))
    assert (lag.samples(), lag.others()) == (late, 1)
