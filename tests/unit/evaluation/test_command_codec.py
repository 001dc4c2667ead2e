"""Codecs by command: each a few lines of Python that stand for a program."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from taae.utils.errors import TaaeError
from tests.unit.evaluation.own_codecs import coded, corpus, settings_of

# Reads INPUT and writes its samples with what the case says to OUTPUT.
PROGRAM = """
import sys, wave
import array
with wave.open(sys.argv[1]) as file:
    rate, data = file.getframerate(), file.readframes(file.getnframes())
assert file.getsampwidth() == 2 and file.getnchannels() == 1
channels = 1
{change}
with wave.open(sys.argv[2], "wb") as file:
    file.setparams((channels, 2, rate, 0, "NONE", ""))
    file.writeframes(data)
"""
COPY = "import shutil, sys; shutil.copy(*sys.argv[1:3])"
NAN = """
import struct
open(sys.argv[2], "wb").write(
    b"RIFF" + struct.pack("<I", 40) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, rate,
    4 * rate, 4, 32) + b"data" + struct.pack("<If", 4, float("nan")))
sys.exit()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus(tmp_path)
    return tmp_path


def program(folder: Path, change: str = "") -> str:
    """Write a program; return the words that run it."""
    path = folder / "pro gram.py"
    path.write_text(PROGRAM.replace("{change}", change))
    return f"{sys.executable} '{path}'"


def decoder(folder: Path, change: str = "", **keys: object):
    """Settings whose coded file is the input, and whose decoder is the program."""
    (folder / "copy.py").write_text(COPY)
    encode = f"{sys.executable} {folder / 'copy.py'} {{input}} {{coded}}"
    decode = f"{program(folder, change)} {{coded}} {{output}}"
    return settings_of("command", encode=encode, decode=decode, **keys)


def test_a_codec_that_changes_nothing(folder: Path) -> None:
    about, table = coded(decoder(folder), folder)
    for row in table.itertuples():
        assert row.bits == 8 * (44 + 2 * row.samples)  # the WAV file, with its header
        decoded, _ = soundfile.read(folder / f"out/audio/{row.utterance}.flac", dtype="int16")
        assert decoded.size == row.samples
    assert (table["frames"].isna()).all()
    assert (about["status"], about["delay_samples"], about["lag_samples"]) == ("ok", 0, 0)
    assert about["version"].startswith(f"{Path(sys.executable).name} ")
    expected = table["bits"].sum() / table["samples"].sum() * 16_000
    assert about["bitrate"] == pytest.approx(expected)


def test_a_header_of_the_container_is_not_counted(folder: Path) -> None:
    _, table = coded(decoder(folder, overhead=44), folder)
    assert (table["bits"] == 16 * table["samples"]).all()
    with pytest.raises(TaaeError, match=r"coded} has \d+ bytes, less than the overhead"):
        coded(decoder(folder, overhead=10**6), folder)


def test_one_command_of_a_declared_bitrate(folder: Path) -> None:
    encode = f"{program(folder)} {{input}} {{output}}"
    about, table = coded(settings_of("command", encode=encode, bitrate=1000.5, rate=8000), folder)
    assert (about["bitrate"], about["rate_hz"]) == (1000.5, 8000)
    assert about["resampling"].startswith("soxr")
    assert (abs(table["bits"] - 1000.5 * table["samples"] / 16_000) < 1).all()


def test_the_bitrate_is_passed_on_within_a_word(folder: Path) -> None:
    change = "assert sys.argv[3:] == ['--bitrate=12800000', '{input']"
    encode = f"{program(folder, change)} {{input}} {{output}} --bitrate={{bitrate}} '{{input'"
    coded(settings_of("command", encode=encode, bitrate=12_800_000), folder)


@pytest.mark.parametrize("delay", [0, 300, -300])
def test_a_delay_is_taken_out_or_told(folder: Path, delay: int) -> None:
    change = "data = bytes(600) + data" if delay >= 0 else "data = data[600:] + bytes(600)"
    about, _ = coded(decoder(folder, change, delay=delay), folder)
    assert (about["delay_samples"], about["lag_samples"]) == (delay, 0 if delay else 300)


@pytest.mark.parametrize("change", ["data = data[1600:] + bytes(1600)", "data = data[1600:]"])
def test_a_codec_that_is_very_early(folder: Path, change: str) -> None:
    about, _ = coded(decoder(folder, change, delay=-800), folder)
    assert (about["delay_samples"], about["lag_samples"]) == (-800, 0)


def test_what_a_delayed_codec_would_cut_is_coded(folder: Path) -> None:
    """A codec that is late and keeps the length: the end is there all the same."""
    coded(decoder(folder, "data = (bytes(600) + data)[:-600]", delay=300), folder)
    decoded, _ = soundfile.read(folder / "out/audio/b-1.flac", dtype="int16")
    pcm = np.load(folder / "corpus/test.npy")
    np.testing.assert_array_equal(decoded, pcm[-decoded.size :])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("channels, data = 2, data + data", "2 channels; mono is needed"),
        ("rate = 8000", "is at 8000 Hz, but rate says 16000 Hz"),
        ("data = data[:-2000]", r"gives \d+ samples for \d+"),
        ("data += bytes(2000)", r"gives \d+ samples for \d+"),
        (NAN, "NaN or infinity"),
        ("sys.exit()", r"wrote no \{output\}"),
        ("open(sys.argv[2], 'w').write('no audio'); sys.exit()", "no readable WAV file"),
        ("print('one', 'two\\nthree', sep='\\n'); sys.exit('bad')", "status 1.: two three bad$"),
        ("import os; os.kill(os.getpid(), 9)", "failed .SIGKILL"),
    ],
)
def test_what_a_program_does_wrong_is_told(folder: Path, change: str, message: str) -> None:
    with pytest.raises(TaaeError, match=message) as caught:
        coded(decoder(folder, change), folder)
    assert str(caught.value).startswith("a-1: ")
    assert not (folder / "out/audio").exists()


def test_a_program_that_writes_no_coded_file(folder: Path) -> None:
    decode = f"{program(folder)} {{coded}} {{output}}"
    encode = f"{sys.executable} -c pass {{input}} {{coded}}"
    with pytest.raises(TaaeError, match=r"a-1: .* wrote no \{coded\}$"):
        coded(settings_of("command", encode=encode, decode=decode), folder)


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for its parent to notice."""
    for _ in range(200):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("hangs", [True, False])
def test_what_a_program_starts_ends_with_it(folder: Path, hangs: bool) -> None:
    rest = "wait" if hangs else 'cp "$1" "$2"'
    script = f"sleep 600 & echo $! > {folder / 'pid'}; {rest}"
    encode = f"sh -c '{script}' x {{input}} {{output}}"
    settings = settings_of("command", encode=encode, bitrate=1, timeout=1.5 if hangs else 60)
    if hangs:
        with pytest.raises(TaaeError, match=r"^a-1: sh took more than 1.5 s and was killed"):
            coded(settings, folder)
    else:
        coded(settings, folder)
    assert ended(int((folder / "pid").read_text()))


def test_a_program_that_is_not_installed(folder: Path) -> None:
    keys = {"encode": "no-such-program {input} {coded}", "decode": "x {coded} {output}"}
    about, table = coded(settings_of("command", **keys), folder)
    assert (about["status"], len(table)) == ("not installed", 0)
    assert "no no-such-program on the PATH" in about["message"]


E = "x {input} {coded}"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"encode": "x {inptu} {coded}"}, r"encode: unknown placeholder \{inptu\}; there are"),
        ({"encode": ""}, "encode: is empty"),
        ({"encode": "x 'y"}, "encode: cannot be split into words"),
        ({"encode": E}, r"encode: \{output\} is missing; without decode"),
        ({"encode": "x {input} {output}"}, r"bitrate: must be given: no \{coded\}"),
        ({"encode": E, "decode": "x {coded}"}, r"decode: \{output\} is missing"),
        ({"encode": E, "decode": "x {coded} {input} {output}"}, r"decode: \{input\} has no place"),
        ({"encode": E + " {output}", "decode": "x {coded} {output}"}, r"encode: \{output\} has no"),
        ({"encode": E, "decode": "x {coded} {output} {bitrate}"}, "bitrate: must be given"),
        ({"encode": E, "decode": "x {coded} {output}", "bitrate": 9}, "bitrate: of no effect"),
        ({"encode": "x {input} {output}", "bitrate": 9, "overhead": 9}, "overhead: of no effect"),
        ({"encode": E, "rate": 0}, "rate: 0 should be greater"),
        ({"encode": E, "timeout": 0}, "timeout: 0 should be greater"),
    ],
)
def test_commands_that_cannot_be_meant(keys: dict[str, object], message: str) -> None:
    with pytest.raises(TaaeError, match=message):
        settings_of("command", **keys)


def test_another_program_or_script_reruns_it(folder: Path) -> None:
    settings = decoder(folder)
    before = settings.dependencies()
    assert settings.dependencies() == before
    (folder / "copy.py").write_text(COPY + "\n")
    assert settings.dependencies() != before
    assert any(each.startswith(sys.executable) for each in before)
