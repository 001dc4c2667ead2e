"""`taae stream`: PCM in, PCM out, whatever comes in."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from taae.cli import main
from taae.codec.pcm_stream import PcmStream
from taae.utils.errors import TaaeError
from tests.unit.codec.codecs import codec

HOP = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    codec(causal=True).save_pretrained(folder)
    return folder


def speech(samples: int) -> bytes:
    noise = np.random.default_rng(samples).normal(0, 3000, samples)
    return noise.clip(-32768, 32767).astype("<i2").tobytes()


def offline(data: bytes) -> np.ndarray:
    wave = torch.from_numpy(np.frombuffer(data, "<i2").astype(np.float32) / 32768)[None]
    model = codec(causal=True)
    return model.decode(model.encode(wave), wave.shape[1])[0].numpy() * 32768


def command(model: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "taae", "stream", "--model", str(model), *options]


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 10 * HOP, 1000])
@pytest.mark.parametrize("chunk", [1, 3])
def test_as_many_samples_come_out_as_went_in(samples: int, chunk: int) -> None:
    data, out = speech(samples), io.BytesIO()
    stream = PcmStream(codec(causal=True), chunk)
    stream.run(io.BytesIO(data), out)
    found = np.frombuffer(out.getvalue(), "<i2")
    assert len(found) == samples
    assert np.abs(found - offline(data).clip(-32768, 32767)).max() <= 0.51  # rounding, and 1e-5
    report = stream.report()
    assert report["samples"] == samples
    assert report["frames"] == -(-samples // HOP)
    assert report["rtf"] > 0  # type: ignore[operator]
    assert report["frame_ms_median"] <= report["frame_ms_p95"] <= report["frame_ms_p99"]  # type: ignore[operator]


def test_nothing_in_is_nothing_out() -> None:
    stream, out = PcmStream(codec(causal=True)), io.BytesIO()
    stream.run(io.BytesIO(b""), out)
    assert out.getvalue() == b""
    report = stream.report()
    assert report["frames"] == 0
    assert report["rtf"] is None


def test_half_a_sample_at_the_end_is_an_error_and_nothing_else_is_lost() -> None:
    data, out = speech(100), io.BytesIO()
    with pytest.raises(TaaeError, match="odd byte after 100 samples"):
        PcmStream(codec(causal=True)).run(io.BytesIO(data + b"\x01"), out)
    whole = io.BytesIO()
    PcmStream(codec(causal=True)).run(io.BytesIO(data), whole)
    assert out.getvalue() == whole.getvalue()
    assert len(out.getvalue()) == 200


def test_the_command_answers_each_chunk_before_the_next_is_there(model: Path) -> None:
    with subprocess.Popen(
        command(model), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        guard = threading.Timer(60, process.kill)  # an answer that never comes fails, not hangs
        guard.start()
        for _ in range(3):
            process.stdin.write(speech(HOP))
            process.stdin.flush()
            assert len(process.stdout.read(2 * HOP)) == 2 * HOP
        process.stdin.write(speech(5))
        process.stdin.close()
        assert len(process.stdout.read()) == 10
        report = json.loads(process.stderr.read().decode().splitlines()[-1])
        guard.cancel()
    assert process.returncode == 0
    assert report["samples"] == 3 * HOP + 5
    assert report["frames"] == 4
    assert {"frame_ms_median", "frame_ms_p95", "frame_ms_p99", "rtf"} <= set(report)


def test_a_reader_that_leaves_is_told_in_one_line(model: Path) -> None:
    with subprocess.Popen(
        command(model), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(speech(20 * HOP))
        process.stdin.close()
        lines = process.stderr.read().decode().splitlines()
    assert process.returncode == 1
    assert len(lines) == 2
    assert "frame_ms_median" in json.loads(lines[0])
    assert lines[1].startswith("error: stdout was closed")


@pytest.mark.parametrize("chunk", ["0", "-1", "1.5", "x", ""])
def test_a_chunk_that_is_no_whole_number_of_frames_is_refused(
    chunk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", "--model", "m", f"--chunk={chunk}"]) == 2
    assert "--chunk" in capsys.readouterr().err


def test_another_rate_and_a_model_that_looks_ahead_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", "--model", str(model), "--rate", "44100"]) == 1
    assert "works at 16000 Hz" in capsys.readouterr().err
    codec(causal=False).save_pretrained(tmp_path)
    assert main(["stream", "--model", str(tmp_path)]) == 1
    assert "attention.causal" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_a_closed_end_is_said(
    name: str, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, name, None)  # what Python makes of `<&-` and `>&-`
        assert main(["stream", "--model", str(model)]) == 1
    assert "stdin or stdout is closed" in capsys.readouterr().err


def test_a_person_who_interrupts_gets_the_report(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    chunks = iter([speech(HOP), speech(HOP)])

    def read(size: int) -> bytes:
        for chunk in chunks:
            return chunk
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))
    assert main(["stream", "--model", str(model)]) == 130
    out, err = capsysbinary.readouterr()
    assert len(out) == 2 * 2 * HOP
    assert json.loads(err.splitlines()[-1])["samples"] == 2 * HOP


def test_a_convolutional_codec_streams_too() -> None:
    conv = codec(causal=True, kind="conv")
    data, out = speech(10 * HOP + 7), io.BytesIO()
    PcmStream(conv, 3).run(io.BytesIO(data), out)
    wave = torch.from_numpy(np.frombuffer(data, "<i2").astype(np.float32) / 32768)[None]
    expected = conv.decode(conv.encode(wave), wave.shape[1])[0].numpy() * 32768
    assert np.abs(np.frombuffer(out.getvalue(), "<i2") - expected).max() <= 0.51


def test_a_window_that_sees_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codec(causal=True).save_pretrained(tmp_path)
    for window in (0, -8):
        config = json.loads((tmp_path / "config.json").read_text())
        config["attention"]["window"] = window
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert main(["stream", "--model", str(tmp_path)]) == 1
        assert f"attention.window: {window} should be greater than 0" in capsys.readouterr().err
