"""Recordings to .taae and back, and the stages that fit, code and measure, as people run them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from taae import cli
from taae.codec.bitstream.container import Packet, read_taae
from taae.codec.bitstream.entropy_model import EntropyModel, entropy_model_path
from taae.codec.codec import load_codec
from taae.codec.config import Bottleneck
from taae.codec.operating_points import NATIVE, PRESET_POINTS, stages_of
from taae.corpus.config import Corpus
from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.evaluation.bitrates import load_codes
from taae.evaluation.decode import decode_split, load_coder
from taae.evaluation.decoded_files import CODES
from taae.utils.audio import write_flac
from taae.utils.errors import TaaeError
from taae.utils.settings import validate
from tests.unit.codec import codecs
from tests.unit.evaluation.speechlike import speech

HOP, DIMENSIONS = 160, 4
BOTTLENECK = Bottleneck(DIMENSIONS, 17, "symmetric", "hybrid")
FREE = "7@1+3@0.3"


def save_model(folder: Path, seed: int) -> Path:
    codecs.codec(bottleneck=BOTTLENECK, seed=seed, patch=HOP // 2).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"), 0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(6):
        path = folder / "audio" / f"s{number // 2}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, speech(1.0 + 0.11 * number, number), 16_000)
    source = {"path": str(folder / "audio"), "validation_speakers": 1, "test_speakers": 1}
    config = validate(Corpus, {"kind": "folder", "folder": source}).chosen()
    prepare(config, folder / "store", workers=1)
    return folder / "store"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """1.5 s of stereo at 44.1 kHz, quiet."""
    path = tmp_path / "in.wav"
    wave = np.repeat(speech(1.5), 2)[: round(1.5 * 44_100)]
    soundfile.write(path, 0.05 * np.stack([wave, 0.5 * wave], axis=1), 44_100, subtype="FLOAT")
    return path


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def error_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert run(*words) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("point", [NATIVE, *PRESET_POINTS, FREE, "8@own"])
def test_a_recording_comes_back_with_its_length_and_the_workflows_samples(
    model: Path, recording: Path, tmp_path: Path, point: str
) -> None:
    coded, back = tmp_path / "a.taae", tmp_path / "out.wav"
    assert run("encode", recording, coded, "--model", model, "--point", point) == 0
    assert run("decode", coded, back, "--model", model) == 0
    packet = read_taae(coded)
    duration = soundfile.info(recording).duration
    samples = soundfile.info(back).frames
    assert samples == packet.samples == math.ceil(duration * 16_000)
    assert soundfile.info(back).samplerate == 16_000

    stages = stages_of(point)
    frames = -(-samples // HOP)
    codes = packet.codes(frames, BOTTLENECK.alphabet(stages), None)
    codec = load_codec(model).with_bottleneck(stages)
    wave = codec.decode(torch.from_numpy(codes).long()[None], samples)[0].numpy() * packet.level
    heard, _ = soundfile.read(back)
    np.testing.assert_allclose(heard, wave.clip(-1, 1), atol=2 / 32768)


def test_the_level_that_is_stored_leads_back(model: Path, recording: Path, tmp_path: Path) -> None:
    """Oracle: twice the recording is the same file but for twice the level."""
    audio, rate = soundfile.read(recording)
    soundfile.write(tmp_path / "loud.wav", 2 * audio, rate, subtype="FLOAT")
    for source, target in ((recording, "quiet.taae"), (tmp_path / "loud.wav", "loud.taae")):
        assert run("encode", source, tmp_path / target, "--model", model) == 0
    quiet, loud = (read_taae(tmp_path / name) for name in ("quiet.taae", "loud.taae"))
    assert loud.level == pytest.approx(2 * quiet.level, rel=1e-3)
    assert quiet.level < 0.5


@pytest.mark.parametrize("wave", [np.zeros(16_000), 0.1 * speech(0.2), np.array([0.5])])
def test_silent_and_short_recordings_keep_their_level(
    model: Path, tmp_path: Path, wave: np.ndarray
) -> None:
    soundfile.write(tmp_path / "in.wav", wave, 16_000)
    assert run("encode", tmp_path / "in.wav", tmp_path / "a.taae", "--model", model) == 0
    assert read_taae(tmp_path / "a.taae").level == 1.0
    assert run("decode", tmp_path / "a.taae", tmp_path / "out.flac", "--model", model) == 0
    assert soundfile.info(tmp_path / "out.flac").frames == len(wave)


def test_bad_recordings_are_named_and_nothing_is_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.taae"
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    soundfile.write(tmp_path / "nan.wav", np.array([np.nan] * 99), 16_000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no audio")
    for name in ("missing", "none", "nan", "text"):
        message = error_of(capsys, "encode", tmp_path / f"{name}.wav", target, "--model", model)
        assert f"{name}.wav" in message
        assert not target.exists()
    message = error_of(capsys, "encode", tmp_path / "nan.wav", target, "--model", tmp_path)
    assert "is" in message
    assert "a model?" in message


def test_bad_files_are_named_and_nothing_is_written(
    model: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coded, target = tmp_path / "a.taae", tmp_path / "out.wav"
    assert run("encode", recording, coded, "--model", model) == 0
    data = coded.read_bytes()
    other = save_model(tmp_path / "other", 1)
    assert "another model" in error_of(capsys, "decode", coded, target, "--model", other)
    broken = tmp_path / "broken.taae"
    for content in (data[:-1], data[:20], data[:50] + b"?" + data[51:], b"RIFF" + data[4:], b""):
        broken.write_bytes(content)
        assert "broken.taae" in error_of(capsys, "decode", broken, target, "--model", model)
    assert not target.exists()
    target.write_text("kept")
    error_of(capsys, "decode", broken, target, "--model", model)
    assert target.read_text() == "kept"
    message = error_of(capsys, "decode", coded, tmp_path / "out.xyz", "--model", model)
    assert ".wav" in message
    assert not (tmp_path / "out.xyz").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("a.taae",),
        ("a.taae", "b.wav", "--corpus", "c"),
        ("a.taae", "b.wav", "--output", "c"),
        ("--corpus", "c"),
        (),
    ],
)
def test_decode_is_of_a_file_or_of_a_corpus(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "either" in error_of(capsys, "decode", *words, "--model", "m")


def test_options_of_the_other_decode_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for option in (("--point", "4x729"), ("--points", "native", "4x729")):
        words = ("decode", "a.taae", "b.wav", "--model", "m", *option)
        assert "--point is for --corpus" in error_of(capsys, *words)
    words = ("decode", "--corpus", "c", "--output", "o", "--model", "m", "--entropy-model", "t")
    assert "--entropy-model" in error_of(capsys, *words)
    words = ("decode", "--corpus", "c", "--output", "o", "--model", "m", "--point", "4x729")
    assert "either --point or --points" in error_of(capsys, *words, "--points", "8@own")


def test_tokens_beside_the_model_are_used_and_needed(
    corpus: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model(tmp_path / "model", 0)
    packed, coded, out = (tmp_path / name for name in ("p.taae", "c.taae", "out.wav"))
    assert run("encode", recording, packed, "--model", model) == 0
    fit = ("entropy-models", "--model", model, "--corpus", corpus, "--output")
    assert run(*fit, model / "entropy-models", "--points", NATIVE, "4x729") == 0
    assert run("encode", recording, coded, "--model", model) == 0
    tokens = EntropyModel.load(entropy_model_path(model / "entropy-models", NATIVE))
    assert read_taae(packed).entropy_model == b""
    assert read_taae(coded).entropy_model == tokens.fingerprint
    assert coded.stat().st_size < packed.stat().st_size

    heard = []
    for source in (packed, coded):
        assert run("decode", source, out, "--model", model) == 0
        heard.append(out.read_bytes())
    assert heard[0] == heard[1]
    out.unlink()
    wrong = entropy_model_path(model / "entropy-models", "4x729")
    message = error_of(capsys, "decode", coded, out, "--model", model, "--entropy-model", wrong)
    assert "c.taae" in message
    assert "another entropy model" in message
    (model / "entropy-models" / NATIVE / "order1.npz").unlink()
    assert "needs the entropy model" in error_of(capsys, "decode", coded, out, "--model", model)
    assert not out.exists()


@pytest.mark.parametrize("point", [NATIVE, "2x15625", FREE, "8@own"])
def test_every_test_utterance_is_coded_for_real(
    model: Path, corpus: Path, tmp_path: Path, point: str
) -> None:
    tokens = tmp_path / "tokens"
    fit = ("entropy-models", "--model", model, "--corpus", corpus, "--output", tokens)
    assert run(*fit, "--points", point) == 0
    decode_split(model, corpus, {point: tmp_path / "decoded" / point})
    words = ("--model", model, "--entropy-models", tokens, "--points", point)
    words += ("--decoded", tmp_path / "decoded", "--output", tmp_path / "rates")
    assert run("rates", *words) == 0
    decoded, output = (tmp_path / name / point for name in ("decoded", "rates"))

    codes = load_codes(decoded / "codes.npz")
    table = pd.read_csv(output / "rates.csv").set_index("utterance")
    levels = BOTTLENECK.alphabet(stages_of(point))
    assert list(table.index) == list(codes)
    for utterance, one in codes.items():
        path = output / "coded" / f"{utterance}.taae"
        row = table.loc[utterance]
        assert path.stat().st_size == row["bytes"]
        nominal = len(one) * sum(map(math.log2, levels))
        assert row["nominal_bps"] * row["seconds"] == pytest.approx(nominal)
        header = 27 + 5 * len(stages_of(point))
        assert row["bytes"] <= header + math.ceil(nominal / 8)
        assert row["coded_bps"] == pytest.approx(8 * row["bytes"] / (len(one) * HOP / 16_000))
        assert row["conditional_bps"] <= row["entropy_bps"] <= row["nominal_bps"]
    assert (table["coded_bps"] <= table[["coded_order0_bps", "coded_order1_bps"]].min(axis=1)).all()

    # Another process finds the same codes in the files.
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from taae.codec.bitstream.container import read_taae\n"
        "from taae.codec.bitstream.entropy_model import EntropyModel\n"
        "folder, tokens, out = map(Path, sys.argv[1:4]); levels = eval(sys.argv[4])\n"
        "models = [EntropyModel.load(tokens / f'order{n}.npz') for n in (0, 1)]\n"
        "found = {}\n"
        "for path in sorted(folder.glob('*.taae')):\n"
        "    packet = read_taae(path)\n"
        "    (model,) = [m for m in models if m.fingerprint == packet.entropy_model] or [None]\n"
        f"    found[path.stem] = packet.codes(-(-packet.samples // {HOP}), levels, model)\n"
        "np.savez(out, **found)\n"
    )
    paths = (output / "coded", tokens / point, tmp_path / "found.npz")
    subprocess.run([sys.executable, "-c", code, *map(str, paths), str(levels)], check=True)
    with np.load(tmp_path / "found.npz") as found:
        assert sorted(found.files) == sorted(codes)
        for utterance, one in codes.items():
            assert np.array_equal(found[utterance], one)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_points_that_are_decoded_together_are_as_each_alone(
    model: Path, corpus: Path, tmp_path: Path, precision: str
) -> None:
    points = [NATIVE, "2x15625", FREE, "8@own"]
    decode_split(model, corpus, {point: tmp_path / point for point in points}, precision)
    data = Split.open(corpus, "test")
    for point in points:
        code, codes = load_coder(model, point, precision), load_codes(tmp_path / point / CODES)
        table = pd.read_csv(tmp_path / point / "utterances.csv").set_index("utterance")
        assert list(codes) == list(table.index) == [each.utterance for each in data.utterances]
        for index, utterance in enumerate(codes):
            expected, audio = code(data.audio(index))
            assert np.array_equal(codes[utterance], expected)
            assert table.loc[utterance, "sha256"] == write_flac(tmp_path / "one.flac", audio)
            assert table.loc[utterance, "frames"] == len(expected)


def test_token_models_see_the_training_split_alone(
    model: Path, corpus: Path, tmp_path: Path
) -> None:
    fit = ("entropy-models", "--model", model, "--corpus", corpus, "--output", tmp_path)
    assert run(*fit, "--points", NATIVE, "4x729") == 0
    codec, data = load_codec(model), Split.open(corpus, "train")
    for point in (NATIVE, "4x729"):
        view = codec.with_bottleneck(stages_of(point))
        waves = [torch.from_numpy(data.audio(n))[None] for n in range(len(data.utterances))]
        codes = [view.encode(wave)[0].to(torch.uint8).numpy() for wave in waves]
        for order in (0, 1):
            expected = EntropyModel.fit(codes, BOTTLENECK.alphabet(stages_of(point)), order)  # type: ignore[arg-type]
            found = EntropyModel.load(entropy_model_path(tmp_path, point, order))  # type: ignore[arg-type]
            assert np.array_equal(found.frequencies, expected.frequencies)


def test_codes_that_differ_between_precisions_are_counted(
    model: Path, corpus: Path, tmp_path: Path
) -> None:
    words = ("--model", model, "--corpus", corpus, "--output", tmp_path / "p.csv")
    assert run("precision", *words) == 0
    table = pd.read_csv(tmp_path / "p.csv").set_index("utterance")
    codec, data = load_codec(model), Split.open(corpus, "test")
    speakers: set[str] = set()
    for index, record in enumerate(data.utterances):
        assert (record.utterance in table.index) == (record.speaker not in speakers)
        if record.speaker in speakers:
            continue
        speakers.add(record.speaker)
        wave = torch.from_numpy(data.audio(index))[None]
        exact = codec.encode(wave)
        with torch.autocast("cpu", torch.bfloat16):
            rough = codec.encode(wave)
        row = table.loc[record.utterance]
        assert row["codes"] == exact.numel()
        assert row["differing_codes"] == int((exact != rough).sum()) > 0
        assert row["differing_frames"] <= min(row["frames"], row["differing_codes"])


def test_another_bottleneck_shares_the_weights_and_leaves_the_codec_alone(model: Path) -> None:
    codec, wave = load_codec(model), torch.randn(2, 1000) * 0.1
    before = codec.encode(wave)
    view = codec.with_bottleneck(PRESET_POINTS["4x729"])
    assert view.encode(wave).shape == (*before.shape[:2], 4 * DIMENSIONS)
    assert torch.equal(codec.encode(wave), before)
    assert torch.equal(view.with_bottleneck(()).encode(wave), before)
    pairs = zip(codec.parameters(), view.parameters(), strict=True)
    assert all(one is other for one, other in pairs)
    # At 17 levels, 4 stages of 3 are the same values.
    torch.testing.assert_close(view.decode(view.encode(wave)), codec.decode(before))


def test_models_saved_before_random_levels_still_load(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", 0)
    config = json.loads((folder / "config.json").read_text())
    del config["bottleneck"]["random_levels"]
    (folder / "config.json").write_text(json.dumps(config))
    assert load_codec(folder).config.bottleneck == BOTTLENECK


def test_a_packet_that_lies_about_its_frames_is_refused(model: Path, tmp_path: Path) -> None:
    codes = np.zeros((5, DIMENSIONS), np.uint8)
    packet = Packet.of(
        codes, (17,) * DIMENSIONS, None, model=b"1234", samples=0, level=1.0, stages=()
    )
    with pytest.raises(TaaeError, match="frames"):
        packet.codes(6, (17,) * DIMENSIONS, None)
