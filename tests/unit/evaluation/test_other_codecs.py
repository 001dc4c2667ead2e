import math
import shutil
import stat
import struct

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.evaluation.decoded_files import Coded, codec_table, fit, read_about
from taae.evaluation.other_codecs import run
from taae.evaluation.other_codecs.kinds import load
from taae.evaluation.other_codecs.programs import (
    CODEC2_BYTES,
    CODEC2_DELAY,
    audio_packets,
    opus_coder,
)
from taae.evaluation.other_codecs.run import code, run_other_codec
from taae.study.config import StudyConfig
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.settings import validate
from tests.unit.corpus.corpora import write_corpus
from tests.unit.evaluation.speechlike import speech

has_opus = pytest.mark.skipif(not shutil.which("opusenc"), reason="opus-tools is not installed")
has_codec2 = pytest.mark.skipif(not shutil.which("c2enc"), reason="codec2 is not installed")


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "corpus", {"b-1": speech(1.03, 1), "a-1": speech(0.71, 2)})


def audio_of(folder, name):
    return soundfile.read(folder / "audio" / f"{name}.flac")


def codec_of(kind, **keys):
    """The settings of another codec, as a study has them."""
    return validate(StudyConfig, {"codecs": {"other": {"kind": kind, **keys}}}).codecs["other"]


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        ("opus", {}, "bitrate: must be given"),
        ("opus", {"bitrate": 500}, "bitrate: 500 should be greater than or equal to 6000"),
        ("codec2", {"bitrate": 2000}, "bitrate: codec2 has .* 1600, 2400, 3200 bit/s, not 2000"),
        ("opus", {"bitrate": 6000, "quantizers": 2}, "unknown key 'quantizers'; known keys: kind"),
        ("opus", {"bitrate": 6000, "weights": "x"}, "unknown key 'weights'"),
        ("mimi", {"bitrate": 1100, "weights": "x"}, "unknown key 'bitrate'"),
        ("dac", {"quantizers": 2}, "weights: must be given"),
    ],
)
def test_operating_points_that_there_are_not(kind, keys, message):
    with pytest.raises(TaaeError, match=message):
        codec_of(kind, **keys)


def ogg(packets, per_page):
    """Write packets as Ogg pages of `per_page` segments, by RFC 3533."""
    segments = []
    for packet in packets:
        parts = [packet[i : i + 255] for i in range(0, len(packet), 255)]
        segments += parts if packet and len(parts[-1]) < 255 else [*parts, b""]
    content = b""
    for start in range(0, len(segments), per_page):
        page = segments[start : start + per_page]
        content += b"OggS" + struct.pack("<BBqIIIB", 0, 0, 0, 1, 0, 0, len(page))
        content += bytes(map(len, page)) + b"".join(page)
    return content


@settings(deadline=None)
@given(st.lists(st.binary(max_size=800), min_size=2, max_size=30), st.integers(1, 255))
def test_packets_are_read_without_the_container(packets, per_page):
    assert audio_packets(ogg(packets, per_page)) == packets[2:]


@pytest.mark.parametrize(
    ("configurations", "coder"),  # RFC 6716, table 2: the first five bits
    [
        ([0], "narrow band"), ([3, 8, 1], "narrow band"), ([9], "wide band"),
        ([15, 15, 0], "wide band"), ([4], ""), ([16], ""), ([31, 31, 0], ""), ([], ""),
    ],
)  # fmt: skip
def test_the_coder_of_opus_packets(configurations, coder):
    packets = [bytes([number << 3 | 0b111]) + b"rest" for number in configurations]
    assert opus_coder([*packets, b""]) == coder


@pytest.mark.parametrize("content", [b"", b"RIFF", ogg([b"head"], 255), ogg([b"a"] * 5, 9)[:-1]])
def test_what_is_no_ogg_file_is_told(content):
    with pytest.raises(TaaeError, match="no Ogg file"):
        audio_packets(content)


@has_opus
def test_opus(corpus, tmp_path):
    run_other_codec("other", codec_of("opus", bitrate=24_000), corpus, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out/utterances.csv")
    assert list(table.columns) == ["utterance", "samples", "frames", "clipped", "sha256", "bits"]
    assert sorted(table.utterance) == ["a-1", "b-1"]
    about = read_about(tmp_path / "out/codec.json")
    assert about["status"] == "ok"
    assert (about["rate_hz"], about["delay_samples"]) == (48_000, -0.667)  # of the wide band
    assert about["resampling"].startswith("soxr ")
    assert about["bitrate"] == pytest.approx(table.bits.sum() / table.samples.sum() * 16_000)
    assert 12_000 < about["bitrate"] < 48_000
    assert "opus" in about["version"]
    for row in table.itertuples():
        seconds = row.samples / 16_000
        assert math.ceil(50 * seconds) <= row.frames <= math.ceil(50 * seconds) + 1  # of 20 ms
        decoded, rate = audio_of(tmp_path / "out", row.utterance)
        assert (decoded.size, rate) == (row.samples, 16_000)
    decoded, _ = audio_of(tmp_path / "out", "b-1")
    reference = speech(1.03, 1)
    lags = np.correlate(decoded, reference[400:-400], "valid")
    assert abs(np.argmax(lags) - 400) <= 1
    first = (tmp_path / "out/audio/a-1.flac").read_bytes()
    run_other_codec("other", codec_of("opus", bitrate=24_000), corpus, tmp_path / "out")
    assert (tmp_path / "out/audio/a-1.flac").read_bytes() == first


def lag_samples(reference, decoded, steps=12):
    """Return by how many samples `decoded` is late: the peak of the finely sampled correlation."""
    size = reference.size + decoded.size
    product = np.fft.rfft(decoded, size) * np.fft.rfft(reference, size).conj()
    correlation = np.fft.irfft(product, size * steps)
    place = int(np.argmax(correlation))
    return (place if place < correlation.size / 2 else place - correlation.size) / steps


def test_the_oracle_of_lags():
    signal = speech(1.0)
    for lag in (-3, 0, 2):
        assert lag_samples(signal, np.roll(signal, lag)) == lag
    half = soxr.resample(np.roll(soxr.resample(signal, 1, 2), 1), 2, 1)
    assert lag_samples(signal, half) == pytest.approx(0.5, abs=0.1)


@has_opus
@pytest.mark.parametrize(
    ("bitrate", "delay", "close"),  # SILK at 8 kHz, whose phase bends; at 16 kHz; CELT
    [(6_000, 2 / 3, 0.2), (8_000, 2 / 3, 0.2), (12_000, -2 / 3, 0.2), (64_000, 0.0, 0.1)],
)
def test_opus_is_in_time(bitrate, delay, close):
    for seed in (1, 2):
        audio = speech(2.0, seed).astype(np.float32)
        coded = code(load(codec_of("opus", bitrate=bitrate)), audio, "u")
        assert coded.delay == pytest.approx(delay)
        lag = lag_samples(audio, coded.audio)
        assert abs(lag) <= close
        # Without the compensation it would be another one.
        assert abs(lag + delay) > close or delay == 0


@has_codec2
@pytest.mark.parametrize("bitrate", sorted(CODEC2_BYTES))
def test_codec2(corpus, tmp_path, bitrate):
    run_other_codec("other", codec_of("codec2", bitrate=bitrate), corpus, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out/utterances.csv")
    about = read_about(tmp_path / "out/codec.json")
    assert (about["rate_hz"], about["delay_samples"]) == (8_000, 2 * CODEC2_DELAY[bitrate])
    seconds = table.samples / 16_000
    extra = table.bits / bitrate - seconds  # the delay, and what fills the last frame
    assert ((extra >= 0) & (extra < CODEC2_DELAY[bitrate] / 8_000 + 0.085)).all()
    padding = {700: 4, 1300: 4}.get(bitrate, 0)  # bits that fill a frame's last byte
    assert (table.bits == (8 * CODEC2_BYTES[bitrate] - padding) * table.frames).all()
    for row in table.itertuples():
        decoded, rate = audio_of(tmp_path / "out", row.utterance)
        assert (decoded.size, rate) == (row.samples, 16_000)


@has_codec2
@pytest.mark.parametrize("bitrate", [3200, 1300])
def test_the_delay_of_codec2_is_compensated(bitrate):
    """Three bursts of a voice stay where they are, within a frame's smearing."""
    audio = np.zeros(32_000, np.float32)
    voice = speech(0.3, 3).astype(np.float32)
    for start in (4_000, 14_000, 24_000):
        audio[start : start + voice.size] = voice
    coded = code(load(codec_of("codec2", bitrate=bitrate)), audio, "u")
    energy = [np.convolve(x[:32_000] ** 2, np.ones(800), "same") for x in (audio, coded.audio)]
    lag = np.argmax(np.correlate(energy[1], energy[0][2_000:-2_000], "valid")) - 2_000
    assert abs(lag) <= 80  # 5 ms of 20


@pytest.mark.parametrize("other", [codec_of("opus", bitrate=6000), codec_of("codec2", bitrate=700)])
def test_a_program_that_is_not_installed(corpus, tmp_path, monkeypatch, other, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    run_other_codec("other", other, corpus, tmp_path / "out")
    about = read_about(tmp_path / "out/codec.json")
    assert about["status"] == "not installed"
    assert "on the PATH; install" in about["message"]
    assert "not installed" in capsys.readouterr().err
    table = pd.read_csv(tmp_path / "out/utterances.csv")
    assert len(table) == 0
    assert list((tmp_path / "out/audio").iterdir()) == []


def program(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_program_that_fails_leaves_what_was_there(corpus, tmp_path, monkeypatch):
    program(tmp_path, "opusenc", "echo no memory >&2; exit 3")
    program(tmp_path, "opusdec", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "out/audio").mkdir(parents=True)
    (tmp_path / "out/audio/old.flac").write_text("old")
    with pytest.raises(TaaeError, match=r"b-1: opusenc failed \(status 3\): no memory"):
        run_other_codec("other", codec_of("opus", bitrate=6000), corpus, tmp_path / "out")
    assert (tmp_path / "out/audio/old.flac").read_text() == "old"
    assert not (tmp_path / "out/codec.json").exists()


@pytest.mark.parametrize("size", [0, 10_000, 20_000])
def test_audio_of_another_length_is_told_and_not_padded(corpus, tmp_path, monkeypatch, size):
    def codec(audio, utterance):
        return Coded(np.ones(size, np.float32), 1, 8)

    codec.rate = 16_000
    monkeypatch.setattr(run, "load", lambda other: codec)
    with pytest.raises(TaaeError, match=rf"b-1: other gives {size} samples for 16480; up to 640"):
        run_other_codec("other", codec_of("opus", bitrate=6000), corpus, tmp_path / "out")
    assert not (tmp_path / "out/audio").exists()


def test_fit():
    np.testing.assert_array_equal(fit(np.arange(3.0, dtype=np.float32), 2), [0, 1])
    np.testing.assert_array_equal(fit(np.arange(3.0, dtype=np.float32), 5), [0, 1, 2, 0, 0])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"status": "fine"}'])
def test_a_broken_description_is_told(tmp_path, content):
    (tmp_path / "codec.json").write_bytes(content)
    with pytest.raises(TaaeError, match=r"codec.json: no description of a codec"):
        read_about(tmp_path / "codec.json")


def tiny(kind):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if kind == "encodec":
        config = transformers.EncodecConfig(
            hidden_size=8, num_filters=2, codebook_size=32, codebook_dim=8, num_lstm_layers=1
        )
        return transformers.EncodecModel(config)
    if kind == "dac":
        config = transformers.DacConfig(
            encoder_hidden_size=2, decoder_hidden_size=32, n_codebooks=3, codebook_size=64,
            codebook_dim=4, downsampling_ratios=[2, 4, 8, 8], upsampling_ratios=[8, 8, 4, 2],
        )  # fmt: skip
        return transformers.DacModel(config)
    config = transformers.MimiConfig(
        hidden_size=16, num_filters=2, codebook_size=16, codebook_dim=8, num_quantizers=4,
        vector_quantization_hidden_dimension=8, num_hidden_layers=1, intermediate_size=16,
        num_attention_heads=2, num_key_value_heads=2, head_dim=8, upsample_groups=16,
    )  # fmt: skip
    return transformers.MimiModel(config)


@pytest.fixture(params=["encodec", "dac", "mimi"])
def weights(request, tmp_path):
    """A saved model of random weights with settings for it."""
    folder = tmp_path / request.param
    tiny(request.param).save_pretrained(folder)
    option = {"bitrate": 1500.0} if request.param == "encodec" else {"quantizers": 2}
    return codec_of(request.param, weights=str(folder), **option)


FRAMES = {"encodec": (24_000, 320, 2, 5), "dac": (16_000, 512, 2, 6), "mimi": (24_000, 1920, 2, 4)}


def test_pretrained_codecs(weights, corpus, tmp_path):
    run_other_codec("other", weights, corpus, tmp_path / "out")
    about = read_about(tmp_path / "out/codec.json")
    rate, hop, codebooks, bits = FRAMES[weights.kind]
    if weights.kind == "encodec":
        codebooks = 4  # as many as 1500 bit/s hold at 75 frames/s and 5 bits
    assert about["status"] == "ok"
    assert about["rate_hz"] == rate
    table = pd.read_csv(tmp_path / "out/utterances.csv")
    frames = np.ceil(np.round(table.samples * rate / 16_000) / hop)
    assert (table.frames == frames).all()
    assert (table.bits == frames * codebooks * bits).all()
    for row in table.itertuples():
        decoded, _ = audio_of(tmp_path / "out", row.utterance)
        assert decoded.size == row.samples


def test_what_is_decoded_is_the_models_own_output(weights, monkeypatch):
    """But for the resampling, it is what the whole model gives for the same padded input."""
    codec = load(weights)
    model, given, encode = codec.model, [], codec.model.encode
    with monkeypatch.context() as patch:
        patch.setattr(model, "encode", lambda wave, **o: given.append(wave) or encode(wave, **o))
        coded = code(codec, speech(0.5).astype(np.float32), "u")
    (wave,) = given
    assert wave.shape[-1] % FRAMES[weights.kind][1] == 0
    with torch.no_grad():
        expected = model(wave, **codec.options).audio_values.flatten().numpy()
    expected = expected[: round(0.5 * codec.rate)]
    expected = soxr.resample(expected, codec.rate, 16_000, quality="VHQ")
    np.testing.assert_allclose(coded.audio, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3


def test_neural_codecs_need_no_compensation(weights):
    """A frame of other codes is heard from where the frame begins, or, by DAC, around it."""
    codec = load(weights)
    _, hop, _, bits = FRAMES[weights.kind]
    model, frame = codec.model, 12
    for name, values in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith(("codebook.weight", "embed", "embed_sum")):
            values.data.normal_()  # random weights have a codebook of zeros
    wave = 0.1 * torch.randn(1, 1, 2 * frame * hop)
    with torch.no_grad():
        encoded = model.encode(wave, **codec.options)
        other = encoded.audio_codes.clone()
        other[..., frame] = (other[..., frame] + 1) % 2**bits
        scales = {"audio_scales": encoded.audio_scales} if weights.kind == "encodec" else {}
        one, two = (
            model.decode(audio_codes=codes, **scales).audio_values.flatten()
            for codes in (encoded.audio_codes, other)
        )
    power = (one - two).numpy() ** 2
    changed = np.flatnonzero(power > 1e-12 * power.max())
    if weights.kind == "dac":  # its convolutions see both sides alike
        middle = (changed[0] + changed[-1] + 1) / 2
        assert middle / hop == pytest.approx(frame + 0.5, abs=0.25)
    else:
        assert changed[0] == frame * hop


def test_weights_that_are_not_there_are_not_installed(tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotInstalled, match="no weights"):
        load(codec_of("dac", quantizers=2, weights=str(tmp_path / "empty")))
    with pytest.raises(NotInstalled, match=r"no folder .*gone$"):
        load(codec_of("dac", quantizers=2, weights=str(tmp_path / "gone")))


def test_weights_without_their_tensors_are_not_installed(weights, tmp_path):
    (tmp_path / weights.kind / "model.safetensors").unlink()
    with pytest.raises(NotInstalled, match="no weights"):
        load(weights)


def test_without_the_package(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NotInstalled, match=r"taae\[codecs\]"):
        load(codec_of("dac", quantizers=2, weights="w"))


def test_weights_of_another_codec_are_refused(tmp_path):
    tiny("dac").save_pretrained(tmp_path / "w")
    with pytest.raises(TaaeError, match="weights of dac, not of mimi"):
        load(codec_of("mimi", quantizers=2, weights=str(tmp_path / "w")))


def test_incomplete_weights_are_refused(tmp_path):
    """They would be filled with random numbers."""
    safetensors = pytest.importorskip("safetensors.torch")
    tiny("dac").save_pretrained(tmp_path / "w")
    path = tmp_path / "w/model.safetensors"
    tensors = safetensors.load_file(path)
    tensors.pop("decoder.conv1.weight")
    safetensors.save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(TaaeError, match=r"the weights lack decoder.conv1.weight"):
        load(codec_of("dac", quantizers=2, weights=str(tmp_path / "w")))


def test_operating_points_that_the_weights_do_not_have(tmp_path):
    tiny("dac").save_pretrained(tmp_path / "dac")
    tiny("encodec").save_pretrained(tmp_path / "encodec")
    with pytest.raises(TaaeError, match="has 3, not 4"):
        load(codec_of("dac", quantizers=4, weights=str(tmp_path / "dac")))
    with pytest.raises(TaaeError, match="has 1500, 3000, 6000, 12000, 24000 bit/s, not 2000"):
        load(codec_of("encodec", bitrate=2000, weights=str(tmp_path / "encodec")))


@has_codec2
def test_the_table_of_codecs_has_those_that_are_not_installed(corpus, tmp_path, monkeypatch):
    run_other_codec("codec2-1300", codec_of("codec2", bitrate=1300), corpus, tmp_path / "one")
    monkeypatch.setenv("PATH", str(tmp_path))
    run_other_codec("opus-6k", codec_of("opus", bitrate=6000), corpus, tmp_path / "two")
    table = codec_table([tmp_path / "one/codec.json", tmp_path / "two/codec.json"])
    there, absent = (row for _, row in table.iterrows())
    assert (there["name"], there["status"], there["rate_hz"]) == ("codec2-1300", "ok", 8000)
    assert there["resampling"].startswith("soxr ")
    assert there["delay_samples"] == 320
    assert (absent["name"], absent["kind"]) == ("opus-6k", "opus")
    assert absent["status"] == "not installed"
    assert "install opus-tools" in absent["message"]
    assert pd.isna(absent["bitrate"])


def test_every_missing_program_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="no opusenc and no opusdec on the PATH"):
        load(codec_of("opus", bitrate=6000))
