"""`taae export`: a folder that works by itself, and no export that differs from PyTorch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from taae.cli import main
from taae.codec.codec import Codec, load_codec
from taae.codec.onnx_graphs import write_graphs
from taae.codec.operating_points import stages_of
from taae.codec.pretrained import fingerprint
from taae.evaluation import onnx_export
from taae.utils.errors import TaaeError
from taae.utils.files import file_sha256
from tests.unit.codec.codecs import codec

POINT = "3@1+3@0.5"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    codec(causal=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "codec"
    command = ["export", "--model", model, "--output", folder, "--format", "onnx", "--point", POINT]
    assert main([str(word) for word in command]) == 0
    return folder


def test_a_folder_of_anything_else_is_left_alone(
    model: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["export", "--model", str(model), "--output", str(tmp_path)]) == 1
    assert "no earlier export" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_folder_says_what_it_is(model: Path, exported: Path) -> None:
    names = ["README.md", "config.json", "decoder.onnx", "encoder.onnx"]
    assert sorted(path.name for path in exported.iterdir()) == names
    about = json.loads((exported / "config.json").read_text())
    assert about["sample_rate"] == 16_000
    assert about["hop"] == 32
    assert about["levels"] == [3] * 6
    assert about["bitrate"] == pytest.approx(500 * 6 * np.log2(3))
    assert about["delay"] == 2.0  # ms: a frame
    assert about["sha256"]["model"] == fingerprint(model)
    assert about["sha256"]["encoder.onnx"] == file_sha256(exported / "encoder.onnx")
    assert about["check"]["codes_different"] <= about["check"]["codes"] / 1000
    assert about["check"]["samples"][:4] == [1, 31, 32, 33]
    assert about["check"]["samples"][-1] > 16_000


def test_the_readme_of_the_folder_works_without_torch(
    model: Path, exported: Path, tmp_path: Path
) -> None:
    speech = onnx_export.synthetic_speech(1.0)[:12_345]
    soundfile.write(tmp_path / "in.wav", speech, 16_000, "FLOAT")
    for name in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / name).symlink_to(exported / name)
    readme = (exported / "README.md").read_text()
    assert "as loud as the codec's training speech" in readme  # which need not be at -20 LUFS
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    assert "torch" not in code
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    view = load_codec(model).with_bottleneck(stages_of(POINT))
    wave = torch.from_numpy(speech)[None]
    expected = view.decode(view.encode(wave), len(speech))[0].numpy()
    assert rate == 16_000
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)  # 16-bit samples


@pytest.mark.parametrize("part", ["encoder.onnx", "decoder.onnx"])
def test_what_differs_from_pytorch_is_no_export(
    part: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_one_of_another_codec(right: Codec, folder: Path) -> None:
        write_graphs(right, folder)
        (tmp_path / "other").mkdir()
        write_graphs(codec(causal=True, seed=1), tmp_path / "other")
        shutil.copy(tmp_path / "other" / part, folder / part)

    monkeypatch.setattr(onnx_export, "write_graphs", write_one_of_another_codec)
    with pytest.raises(TaaeError, match=rf"{part}: .*PyTorch"):
        onnx_export.export_onnx(model, tmp_path / "codec")
    assert not (tmp_path / "codec").exists()


def test_not_a_number_is_refused() -> None:
    found = {"codes": 10, "codes_different": 0, "audio_deviation": float("nan")}
    with pytest.raises(TaaeError, match=r"decoder\.onnx"):
        onnx_export.refuse_deviation(found)
