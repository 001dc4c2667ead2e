import hashlib
import io
import json
import subprocess
from types import SimpleNamespace

import h5py
import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given
from hypothesis import strategies as st

from taae.evaluation.scoring import mosnet as module
from taae.evaluation.scoring.mosnet import (
    MOSNet,
    blob_hash,
    fetch_weights,
    mosnet,
    read_weights,
    same_padding,
)
from taae.utils.errors import TaaeError
from tests.unit.evaluation.speechlike import speech

CONVOLUTIONS = [f"conv2d{suffix}" for suffix in ("", *(f"_{n}" for n in range(1, 12)))]


def random_layers(seed=0):
    """Layers of random weights, in Keras' names and shapes; biases of every gate differ."""
    rng = np.random.default_rng(seed)

    def array(*shape):
        scale = 1.4 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.3
        return (scale * rng.normal(size=shape)).astype(np.float32)

    layers, before = {"input_1": {}, "reshape": {}}, 1
    for index, name in enumerate(CONVOLUTIONS):
        after = 16 * 2 ** (index // 3)
        layers[name] = {
            f"{name}/kernel:0": array(3, 3, before, after),
            f"{name}/bias:0": array(after),
        }
        before = after
    layers["reshape_1"] = {}
    layers["bidirectional"] = {
        f"bidirectional/{way}_lstm/{weight}:0": array(*shape)
        for way in ("forward", "backward")
        for weight, shape in (
            ("kernel", (512, 512)), ("recurrent_kernel", (128, 512)), ("bias", (512,))
        )
    }  # fmt: skip
    layers["time_distributed"] = {}
    for name, (inputs, outputs) in {"time_distributed_1": (256, 128), "frame": (128, 1)}.items():
        layers[name] = {
            f"{name}/kernel:0": array(inputs, outputs),
            f"{name}/bias:0": array(outputs),
        }
    layers["avg"] = {}
    return layers


def write(path, layers, whole_model=True):
    """Write what `Model.save` or `Model.save_weights` of Keras 2 writes."""
    with h5py.File(path, "w") as file:
        group = file
        if whole_model:
            file.attrs["model_config"] = json.dumps({"class_name": "Lambda: os.system"})
            file.create_group("optimizer_weights").create_dataset("Adam/m:0", data=np.ones(3))
            group = file.create_group("model_weights")
        group.attrs["keras_version"] = np.bytes_("2.2.4-tf")
        group.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            inner = group.create_group(name)
            inner.attrs["weight_names"] = np.array([key.encode() for key in weights], dtype="S80")
            for key, array in weights.items():
                inner.create_dataset(key, data=array)
    return blob_hash(path.read_bytes())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(x, kernel, bias, stride):
    """TensorFlow's convolution (frames, bins, in) -> (frames, out bins, out), one tap at a time."""
    frames, bins, _ = x.shape
    outputs = int(np.ceil(bins / stride))
    zeros = max((outputs - 1) * stride + 3 - bins, 0)
    padded = np.pad(x, ((1, 1), (zeros // 2, zeros - zeros // 2), (0, 0)))
    result = np.zeros((frames, outputs, kernel.shape[3])) + bias
    for i in range(3):
        for j in range(3):
            taps = padded[i : i + frames, j : j + (outputs - 1) * stride + 1 : stride]
            result += taps @ kernel[i, j]
    return np.maximum(result, 0)


def lstm(x, kernel, recurrent, bias):
    """Keras' LSTM (frames, in) -> (frames, 128): gates i, f, c, o."""
    hidden = cell = np.zeros(128)
    outputs = []
    for frame in x:
        i, f, c, o = np.split(frame @ kernel + hidden @ recurrent + bias, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(c)
        hidden = sigmoid(o) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs)


def oracle(spectrogram, layers):
    """The network in numpy and float64, from the arrays of the HDF5 layout."""
    arrays = {key: np.float64(a) for layer in layers.values() for key, a in layer.items()}
    x = spectrogram[:, :, None]
    for index, name in enumerate(CONVOLUTIONS):
        stride = 3 if index % 3 == 2 else 1
        x = convolve(x, arrays[f"{name}/kernel:0"], arrays[f"{name}/bias:0"], stride)
    x = x.reshape(len(x), -1)
    ways = [
        [arrays[f"bidirectional/{way}_lstm/{w}:0"] for w in ("kernel", "recurrent_kernel", "bias")]
        for way in ("forward", "backward")
    ]
    x = np.hstack([lstm(x, *ways[0]), lstm(x[::-1], *ways[1])[::-1]])
    hidden = x @ arrays["time_distributed_1/kernel:0"] + arrays["time_distributed_1/bias:0"]
    x = np.maximum(hidden, 0)
    return (x @ arrays["frame/kernel:0"] + arrays["frame/bias:0"])[:, 0]


@pytest.fixture(params=[True, False], ids=["whole model", "weights alone"])
def published(request, tmp_path):
    """A file of random weights in the published layout, its layers and its hash."""
    layers, path = random_layers(), tmp_path / "cnn_blstm.h5"
    return SimpleNamespace(path=path, layers=layers, hash=write(path, layers, request.param))


def test_the_network_is_kerass_by_an_independent_computation(published):
    network = MOSNet().eval()
    network.load_keras(read_weights(published.path, published.hash))
    spectrogram = np.abs(np.random.default_rng(1).normal(size=(9, 257))).astype(np.float32)
    with torch.inference_mode():
        scores = network(torch.from_numpy(spectrogram)).numpy()
    expected = oracle(spectrogram, published.layers)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(scores, expected, rtol=0, atol=2e-5)


def test_the_score_of_audio_is_the_mean_over_frames_of_its_spectrogram(published, monkeypatch):
    monkeypatch.setattr(module, "read_weights", lambda path: read_weights(path, published.hash))
    audio = speech(0.3)
    stft = librosa.stft(
        audio, n_fft=512, hop_length=256, win_length=512, window=scipy.signal.windows.hamming,
        pad_mode="reflect",
    )  # fmt: skip
    expected = oracle(np.abs(stft).T, published.layers).mean()
    assert mosnet(audio, published.path) == pytest.approx(expected, abs=2e-5)
    assert mosnet(0.5 * audio, published.path) != pytest.approx(expected, abs=1e-3)


@given(size=st.integers(1, 500), stride=st.integers(1, 3))
def test_same_padding_gives_one_output_per_stride(size, stride):
    low, high = same_padding(size, stride)
    assert (size + low + high - 3) // stride + 1 == -(-size // stride)
    assert high - low in (0, 1)


def test_padding_of_the_strided_layers():
    """The odd zero comes after; the last group has two, and so one on each side."""
    assert [same_padding(bins, 3) for bins in (257, 86, 29, 10)] == [(0, 1)] * 3 + [(1, 1)]


def test_the_hash_is_gits(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some\0content")
    try:
        done = subprocess.run(["git", "hash-object", path], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no git")
    assert blob_hash(b"some\0content") == done.stdout.strip()
    assert blob_hash(b"") == hashlib.sha1(b"blob 0\0").hexdigest()


def test_only_the_published_file_is_taken(published):
    with pytest.raises(TaaeError, match=r"not the published weights: its git hash is .* 560a12c9"):
        read_weights(published.path)
    with pytest.raises(TaaeError, match=r"lochenchou/MOSNet"):
        mosnet(np.ones(600), published.path)


def test_files_that_are_no_weights_are_refused(tmp_path):
    path = tmp_path / "cnn_blstm.h5"
    with pytest.raises(TaaeError, match=r"No such file.*lochenchou/MOSNet"):
        read_weights(path)
    whole = tmp_path / "whole.h5"
    write(whole, random_layers())
    path.write_bytes(whole.read_bytes()[:100_000])
    with pytest.raises(TaaeError, match="not the published weights"):
        read_weights(path)
    for content in (b"", b"PK\3\4 pickle", whole.read_bytes()[:100_000]):
        path.write_bytes(content)
        with pytest.raises(TaaeError, match="no Keras weights"):
            read_weights(path, blob_hash(content))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = 3
    with pytest.raises(TaaeError, match="no Keras weights"):
        read_weights(path, blob_hash(path.read_bytes()))


def test_another_layout_is_refused(tmp_path):
    fewer, wider, path = random_layers(), random_layers(), tmp_path / "other.h5"
    del fewer["bidirectional"]
    wider["frame"]["frame/bias:0"] = np.zeros(2, np.float32)
    for layers in (fewer, wider):
        arrays = read_weights(path, write(path, layers))
        with pytest.raises(TaaeError, match="not the layers of MOSNet"):
            MOSNet().load_keras(arrays)


def test_fetching_from_a_path(tmp_path, published):
    output = tmp_path / "state/weights.h5"
    fetch_weights(str(published.path), output, published.hash)
    assert output.read_bytes() == published.path.read_bytes()
    fetch_weights(str(tmp_path / "gone.h5"), output, published.hash)  # it is there already
    with pytest.raises(TaaeError, match=r"gone.h5: cannot be read \(No such file"):
        fetch_weights(str(tmp_path / "gone.h5"), tmp_path / "new.h5", published.hash)


def test_fetching_from_a_url(tmp_path, monkeypatch):
    asked = []

    def reply(url, timeout):
        asked.append(url)
        if url.endswith("down"):
            raise OSError("unreachable")
        return io.BytesIO(b"content")

    monkeypatch.setattr(module.urllib.request, "urlopen", reply)
    output = tmp_path / "weights.h5"
    for _ in range(2):
        fetch_weights("https://host/w.h5", output, blob_hash(b"content"))
    assert output.read_bytes() == b"content"
    assert len(asked) == 1  # the second time it is there
    with pytest.raises(TaaeError, match="not the published weights"):
        fetch_weights("https://host/w.h5", output)
    assert output.read_bytes() == b"content"
    with pytest.raises(TaaeError, match=r"cannot be read \(unreachable\).*lochenchou"):
        fetch_weights("https://host/down", output)
    with pytest.raises(TaaeError, match="not an https URL"):
        fetch_weights("http://host/w.h5", output)
    assert asked == ["https://host/w.h5"] * 2 + ["https://host/down"]
    assert [path.name for path in tmp_path.iterdir()] == ["weights.h5"]
