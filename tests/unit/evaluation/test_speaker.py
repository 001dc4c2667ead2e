"""Speaker similarity: front ends and embeddings equal to others' code, weights checked."""

import hashlib
import math

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.evaluation import installed
from taae.evaluation.config import Speaker
from taae.evaluation.scoring import speaker as module
from taae.evaluation.scoring.speaker import load_encoder, similarity, stretches
from taae.utils.errors import TaaeError
from taae.utils.huggingface import weights_identity
from tests.unit.evaluation.scoring_one import score
from tests.unit.evaluation.speechlike import RATE, noisy, speech
from tests.unit.evaluation.stand_ins import package

CLEAN = speech(2.0)
PAIRS = {
    "good": noisy(CLEAN, 30),
    "bad": noisy(CLEAN, 0),
    "clipped": np.clip(8 * CLEAN, -1.0, 1.0),
}
STATUSES = pytest.mark.parametrize(
    ("reference", "degraded", "status"),
    [
        (CLEAN, np.zeros_like(CLEAN), "silent_deg"),
        (np.zeros_like(CLEAN), CLEAN, "silent_ref"),
        (CLEAN, np.where(np.arange(CLEAN.size) == 9, np.nan, CLEAN), "nonfinite"),
        (CLEAN[:7999], CLEAN[:7999], "too_short"),
        (CLEAN, 1.9 * CLEAN / np.abs(CLEAN).max(), "ok"),
    ],
    ids=["silent", "silent reference", "NaN", "short", "clipped"],
)


@pytest.fixture
def ge2e(tmp_path, monkeypatch):
    """Random weights in a file of the published form, which are then the published ones."""
    torch.manual_seed(0)
    state = module.GE2E().state_dict() | {"similarity_weight": torch.ones(1)}
    path = tmp_path / "pretrained.pt"
    torch.save({"step": 1, "model_state": state}, path)
    monkeypatch.setattr(module, "PUBLISHED", hashlib.sha256(path.read_bytes()).hexdigest())
    return str(path)


@pytest.fixture
def wavlm(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8),
        conv_stride=(20, 16),
        conv_kernel=(40, 16),
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        tdnn_dim=(8, 8, 8, 8, 24),
        xvector_output_dim=12,
    )
    torch.manual_seed(0)
    transformers.WavLMForXVector(config).save_pretrained(tmp_path / "wavlm")
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / "wavlm")
    return str(tmp_path / "wavlm")


class TestGE2E:
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 70_000), st.sampled_from([1.0, 0.001]), st.integers(0, 9))
    def test_its_input_is_of_librosa(self, size, gain, seed):
        signal = gain * np.random.default_rng(seed).normal(size=size)
        wanted = math.sqrt(np.mean(signal**2)) * 10 ** (30 / 20)
        raised = signal / wanted if wanted < 1 else signal
        found = stretches(signal)
        padded = np.pad(raised, (0, 25_600 + 77 * 160 * len(found)))
        mels = librosa.feature.melspectrogram(
            y=padded, sr=RATE, n_fft=400, hop_length=160, n_mels=40
        ).T
        for number, stretch in enumerate(found):
            np.testing.assert_allclose(
                stretch, mels[77 * number :][:160], rtol=1e-4, atol=1e-6 * mels.max()
            )
        ends = 160 * (77 * (len(found) - 1) + 160)
        assert len(found) == 1 or ends - size <= 0.25 * 25_600  # most of the last one is heard
        assert size - ends <= 0.75 * 25_600  # and no more is left out

    @pytest.mark.parametrize("name", PAIRS)
    def test_it_is_the_cosine_of_means_over_stretches(self, ge2e, name):
        network = module.GE2E()
        network.load_state_dict(torch.load(ge2e)["model_state"], strict=False)
        embeddings = []
        for signal in (CLEAN, PAIRS[name]):
            with torch.no_grad():
                embeddings.append(network(torch.from_numpy(stretches(signal))).mean(0))
        expected = torch.cosine_similarity(*embeddings, dim=0).item()
        assert similarity(CLEAN, PAIRS[name], "ge2e", ge2e) == pytest.approx(expected, abs=1e-6)

    def test_itself_louder_and_softer(self, ge2e):
        assert similarity(CLEAN, CLEAN, "ge2e", ge2e) == pytest.approx(1, abs=1e-6)
        soft = 0.01 * CLEAN
        assert similarity(soft, 0.1 * soft, "ge2e", ge2e) == pytest.approx(1, abs=1e-6)

    def test_a_reference_is_embedded_once(self, ge2e, monkeypatch):
        first = similarity(CLEAN, PAIRS["bad"], "ge2e", ge2e)
        counted = []
        embed = load_encoder("ge2e", ge2e)
        monkeypatch.setattr(
            module, "load_encoder", lambda *_: lambda signal: (counted.append(1), embed(signal))[1]
        )
        assert similarity(CLEAN, PAIRS["bad"], "ge2e", ge2e) == first
        assert len(counted) == 1
        similarity(PAIRS["good"], PAIRS["bad"], "ge2e", ge2e)
        assert len(counted) == 3

    @STATUSES
    def test_statuses(self, tmp_path, ge2e, reference, degraded, status):
        weights = Speaker(ge2e_weights=ge2e)
        row = score(tmp_path, ["speaker_ge2e"], reference, degraded, weights).loc["speaker_ge2e"]
        assert row.status == status
        assert (row.status == "ok") == math.isfinite(row.value)

    def test_other_weights_are_refused(self, tmp_path, ge2e):
        (tmp_path / "other.pt").write_bytes(b"other")
        with pytest.raises(TaaeError, match=r"other\.pt: not the published weights.*Resemblyzer"):
            score(
                tmp_path,
                ["speaker_ge2e"],
                CLEAN,
                CLEAN,
                Speaker(ge2e_weights=f"{tmp_path}/other.pt"),
            )

    def test_neither_package_nor_weights(self, tmp_path, monkeypatch):
        monkeypatch.setattr(installed, "find_spec", lambda module: None)
        with pytest.raises(TaaeError, match=r"speaker_ge2e needs .*pip install --no-deps Resemb"):
            score(tmp_path, ["speaker_ge2e"], CLEAN, CLEAN)
        with pytest.raises(TaaeError, match=r"no file nowhere\.pt"):
            score(tmp_path, ["speaker_ge2e"], CLEAN, CLEAN, Speaker(ge2e_weights="nowhere.pt"))


@pytest.mark.outside
class TestResemblyzer:
    @pytest.fixture
    def resemblyzer(self, monkeypatch):
        return package("resemblyzer", monkeypatch)

    @pytest.mark.parametrize("size", [9000, 20_000, 25_600, 26_000, 32_000])
    @pytest.mark.parametrize("gain", [1.0, 0.01])
    def test_embeddings_are_those_of_the_package(self, resemblyzer, size, gain):
        signal = gain * PAIRS["good"][:size]
        raised = resemblyzer.normalize_volume(signal, -30, increase_only=True)
        encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
        expected = encoder.embed_utterance(raised.astype(np.float32))
        np.testing.assert_allclose(load_encoder("ge2e", "")(signal), expected, atol=1e-5)

    def test_the_metric_is_that_of_the_package(self, resemblyzer, tmp_path):
        encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
        for name, degraded in PAIRS.items():
            heard = np.clip(degraded, -1, 1).astype(np.float32)
            pair = [encoder.embed_utterance(one) for one in (CLEAN.astype(np.float32), heard)]
            row = score(tmp_path, ["speaker_ge2e"], CLEAN, degraded).loc["speaker_ge2e"]
            assert row.value == pytest.approx(float(pair[0] @ pair[1]), abs=1e-5), name

    def test_noise_costs(self, resemblyzer):
        values = [similarity(CLEAN, PAIRS[name], "ge2e", "") for name in ("good", "bad")]
        assert values[0] > values[1] + 0.05


class TestWavLM:
    @pytest.mark.parametrize("name", PAIRS)
    def test_it_is_that_of_transformers_used_directly(self, tmp_path, wavlm, name):
        transformers = pytest.importorskip("transformers")
        network = transformers.WavLMForXVector.from_pretrained(wavlm).eval()
        prepare = transformers.Wav2Vec2FeatureExtractor.from_pretrained(wavlm)
        heard = [CLEAN, np.clip(PAIRS[name], -1, 1)]
        given = prepare(
            [one.astype(np.float32) for one in heard], sampling_rate=RATE, return_tensors="pt"
        )
        with torch.no_grad():
            expected = torch.cosine_similarity(*network(given.input_values).embeddings, dim=0)
        weights = Speaker(wavlm_weights=wavlm)
        row = score(tmp_path, ["speaker_wavlm"], CLEAN, PAIRS[name], weights).iloc[0]
        assert row.value == pytest.approx(expected.item(), abs=1e-5)
        (content,) = weights_identity(wavlm).values()
        hashed = hashlib.sha256(content.encode()).hexdigest()[:8]
        assert row.settings == f"wavlm-xvector-{hashed}"

    @STATUSES
    def test_statuses(self, tmp_path, wavlm, reference, degraded, status):
        weights = Speaker(wavlm_weights=wavlm)
        row = score(tmp_path, ["speaker_wavlm"], reference, degraded, weights).iloc[0]
        assert row.status == status
        assert (row.status == "ok") == math.isfinite(row.value)

    def test_no_weights(self, tmp_path, wavlm):
        with pytest.raises(TaaeError, match=r"speaker_wavlm needs .*metrics\.speaker\.wavlm_w"):
            score(tmp_path, ["speaker_wavlm"], CLEAN, CLEAN)
        with pytest.raises(TaaeError, match=r"wavlm_weights: no folder /nowhere"):
            score(tmp_path, ["speaker_wavlm"], CLEAN, CLEAN, Speaker(wavlm_weights="/nowhere"))
