"""A Python class as a codec."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taae.utils.errors import TaaeError
from tests.unit.evaluation.own_codecs import coded, corpus, settings_of

CODEC = """
import numpy as np
import neighbour

class Codec:
    rate = 16000
    version = "7"

    def __init__(self, scale=1.0):
        self.scale = scale

    def encode(self, audio):
        assert audio.dtype == np.float32 and audio.ndim == 1
        return np.rint(audio * 100).astype(np.int8).tobytes()

    def decode(self, coded, samples):
        assert samples == len(coded)
        return self.scale * np.frombuffer(coded, np.int8) / 100
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    corpus(tmp_path)
    (tmp_path / "neighbour.py").write_text("")
    (tmp_path / "json.py").write_text(CODEC)  # a name that is taken
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    return tmp_path


def test_a_class_of_a_file(folder: Path) -> None:
    settings = settings_of("python", **{"class": "json.py:Codec", "options": {"scale": 0.5}})
    about, table = coded(settings, folder)
    assert (about["version"], about["rate_hz"], about["lag_samples"]) == ("7", 16_000, 0)
    assert (table["bits"] == 8 * table["samples"]).all()
    assert about["bitrate"] == 128_000
    decoded, _ = soundfile.read(folder / "out/audio/b-1.flac")
    pcm = np.load(folder / "corpus/test.npy")[-decoded.size :] / 32768
    np.testing.assert_allclose(decoded, np.rint(100 * pcm) / 200, atol=2**-15)
    import json

    assert json.loads("1") == 1


def test_a_class_of_a_module(folder: Path) -> None:
    (folder / "taae_test_codecs").mkdir()
    (folder / "taae_test_codecs/inner.py").write_text(CODEC.replace("import neighbour", ""))
    settings = settings_of("python", **{"class": "taae_test_codecs.inner:Codec"})
    before = settings.dependencies()
    assert before[0].startswith(str(folder / "taae_test_codecs/inner.py"))
    about, _ = coded(settings, folder)
    assert about["status"] == "ok"
    (folder / "taae_test_codecs/inner.py").write_text("")
    assert settings.dependencies() != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return np.rint", "1 / 0 #", "a-1: json.py:Codec: encode: ZeroDivisionError: division"),
        ("return self.scale", "raise KeyError('k') #", "a-1: json.py:Codec: decode: KeyError: 'k'"),
        (".tobytes()", "", "a-1: json.py:Codec: encode returns ndarray, not bytes"),
        ("/ 100", "[:, None]", r"a-1: json.py:Codec: decode returns \(\d+, 1\), not"),
        ("/ 100", "* np.nan", "a-1: NaN or infinity"),
        ("return self.scale", "return 'x' #", "decode: ValueError"),
        ("self.scale *", "np.zeros(9000) +", "a-1: .*ValueError|a-1: mine gives"),
        ("class Codec", "class Codek", "class: json.py has no Codec"),
        ("def decode", "def decoed", "json.py:Codec has no decode; a codec has rate, encode"),
        ("rate = 16000", "rate = 16e3", "json.py:Codec: rate is 16000.0; whole Hz"),
        ("import neighbour", "import no_such", "import: ModuleNotFoundError: No module named"),
        ("scale=1.0", "other", "json.py:Codec: options: TypeError"),
    ],
)
def test_what_a_class_does_wrong_is_told(
    folder: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in CODEC
    (folder / "json.py").write_text(CODEC.replace(old, new, 1))
    with pytest.raises(TaaeError, match=message):
        coded(settings_of("python", **{"class": "json.py:Codec"}), folder)
    if "Error" in message:
        assert "Traceback" in capsys.readouterr().err


def test_a_module_that_is_not_installed(folder: Path) -> None:
    about, _ = coded(settings_of("python", **{"class": "taae_no_such.module:Codec"}), folder)
    assert about["status"] == "not installed"
    assert "no module taae_no_such.module" in about["message"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("Codec", "class: 'Codec' is neither package.module:Class nor"),
        ("a.b:", "class: 'a.b:' is neither"),
        ("a..b:C", "class: 'a..b:C' is neither"),
        ("a/b:C", "class: 'a/b:C' is neither"),
        ("gone/codec.py:C", "class: no file gone/codec.py"),
    ],
)
def test_classes_that_cannot_be_meant(written: str, message: str) -> None:
    with pytest.raises(TaaeError, match=message):
        settings_of("python", **{"class": written})
