"""The examples of docs/codecs.md really code speech."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from taae.evaluation.decoded_files import write_reference
from tests.unit.evaluation.own_codecs import coded, corpus, settings_of

PAGE = (Path(__file__).parents[3] / "docs" / "codecs.md").read_text(encoding="utf-8")
BLOCKS = {
    language: re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    for language in ("yaml", "python")
}
SHOWN = {
    name: keys for block in BLOCKS["yaml"] for name, keys in yaml.safe_load(block)["codecs"].items()
}
has_sox = pytest.mark.skipif(not shutil.which("sox"), reason="sox is not installed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path)
    return tmp_path


@has_sox
def test_gsm_by_command(folder: Path) -> None:
    about, table = coded(settings_of(**SHOWN["gsm-13k2"]), folder)
    assert (about["status"], about["rate_hz"], about["delay_samples"]) == ("ok", 8000, 0)
    assert (abs(about["lag_samples"]), about["other_lags"]) == (0, 0)
    frames = -(-table["samples"] // 320)  # of 20 ms and 33 bytes, and no header (GSM 06.10)
    assert (table["bits"] == 8 * 33 * frames).all()


def test_a_folder(folder: Path) -> None:
    write_reference(folder / "corpus", folder / "reference")
    (folder / "reference/audio").rename(folder / "decoded")
    about, _ = coded(settings_of(**SHOWN["mine-1k"]), folder)
    assert (about["status"], about["bitrate"], about["lag_samples"]) == ("ok", 1000, 0)


def test_a_class(folder: Path) -> None:
    (folder / "my_codec.py").write_text(BLOCKS["python"][0])
    about, table = coded(settings_of(**SHOWN["mu-law"]), folder)
    assert (about["status"], about["lag_samples"]) == ("ok", 0)
    assert (table["bits"] == 8 * -(-table["samples"] // 2)).all()  # 64 kbit/s


OPUS = {
    "encode": "opusenc --quiet --speech --bitrate 24 {input} {coded}",
    "decode": "opusdec --quiet --rate 48000 --no-dither {coded} {output}",
    "rate": 48_000,
}


@pytest.mark.skipif(not shutil.which("opusenc"), reason="opus-tools is not installed")
def test_opus_by_command_is_opus(folder: Path) -> None:
    """The same bits but for the container; its delay, of the wide band, is -2 at 48 kHz."""
    about, table = coded(settings_of("opus", bitrate=24_000), folder)
    own, by_command = coded(settings_of("command", delay=-2, **OPUS), folder)
    assert own["delay_samples"] == about["delay_samples"]
    assert (by_command["sha256"] == table["sha256"]).all()
    assert (by_command["bits"] > table["bits"] + 8 * 500).all()
