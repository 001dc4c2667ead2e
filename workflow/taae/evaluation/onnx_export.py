"""A trained codec for use without PyTorch: two ONNX graphs, checked, with what a user must know.

The folder has encoder.onnx and decoder.onnx (`taae.codec.onnx_graphs`), config.json and a
README.md. No export is left that codes speech otherwise than PyTorch does.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from taae.codec.codec import Codec, load_codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.onnx_graphs import DECODER, ENCODER, OPSET, write_graphs
from taae.codec.operating_points import NATIVE, nominal_bitrate, stages_of
from taae.codec.pretrained import CONFIG, fingerprint
from taae.corpus.normalise import Target
from taae.corpus.synthetic.passages import Passage, speak
from taae.corpus.synthetic.sentences import sentences
from taae.corpus.synthetic.voices import draw_speakers
from taae.corpus.utterance import Label, Utterance
from taae.utils.audio import from_int16
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json, write_text
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE

SPEECH = 8.0  # s of synthetic speech that graphs are checked with, about
LOUDNESS = -20.0  # LUFS of that speech
SECONDS = (0.5, 1.3, 3.1)  # lengths beside those around a hop, and all of the speech
MOST_DIFFERENT = 1e-3  # share of the codes: latents on the border of two levels, by rounding
MOST_DEVIATION = 1e-4  # of decoded samples, full scale 1
README = Template("""# A speech codec as ONNX

`encoder.onnx` turns audio into codes, `decoder.onnx` turns codes into audio, for any length and
batch. Only onnxruntime, NumPy and a reader of audio files (here soundfile) are needed:

```python
import numpy as np, onnxruntime, soundfile

encoder = onnxruntime.InferenceSession("encoder.onnx")
decoder = onnxruntime.InferenceSession("decoder.onnx")
audio, rate = soundfile.read("in.wav", dtype="float32")  # mono
assert rate == $rate and audio.ndim == 1
(codes,) = encoder.run(None, {"audio": audio[None]})  # int64 (1, frames, $columns)
(decoded,) = decoder.run(None, {"codes": codes})  # float32 (1, frames * $hop)
soundfile.write("out.wav", decoded[0, : len(audio)], rate)
```

- Audio: $rate Hz, one channel, float32, full scale 1; speech as loud as the codec's training speech
  (`corpus.loudness` of its study, -20 LUFS unless set otherwise).
- Codes: one frame per $hop samples, $columns numbers each, with $levels values: $bitrate bit/s.
- The last frame is filled up with silence; cut the decoded audio to the length of the input.
- $delay
- Memory grows linearly with the length: a sliding window is computed in blocks, never as a whole
  square of attention.

`config.json` has these figures, the hashes of the model and of the graphs, and how far the graphs
were from PyTorch on synthetic speech.
""")


def export_onnx(model: Path, output: Path, point: str = NATIVE) -> dict[str, Any]:
    """Write a model at an operating point as ONNX graphs to the folder `output`; return the check.

    Raises:
        TaaeError: the model cannot be read, the graphs differ from PyTorch, or `output` is there
            and no earlier export.
    """
    if output.exists() and not ((output / CONFIG).is_file() and (output / ENCODER).is_file()):
        raise TaaeError(f"{output}: is there already, and no earlier export; give another folder")
    codec = load_codec(model).with_bottleneck(stages_of(point))
    with atomic(output) as folder:
        folder.mkdir()
        write_graphs(codec, folder)
        found = compare(codec, folder, synthetic_speech(SPEECH))
        log(
            f"{found['codes_different']} of {found['codes']} codes differ from PyTorch's; samples"
            f" by {found['audio_deviation']:.1g} at most"
        )
        refuse_deviation(found)
        about = _describe(codec, point)
        about["sha256"] = {
            "model": fingerprint(model),
            **{name: file_sha256(folder / name) for name in (ENCODER, DECODER)},
        }
        about["check"] = found
        write_json(about, folder / CONFIG)
        write_text(_readme(about), folder / "README.md")
    return found


def _describe(codec: Codec, point: str) -> dict[str, Any]:
    """Return what a user of the graphs must know."""
    config, look_ahead = codec.config, profile(codec.config).look_ahead
    alphabet = config.bottleneck.alphabet(stages_of(point))
    return {
        "sample_rate": config.sample_rate,
        "hop": codec.hop,
        "point": point,
        "levels": alphabet,
        "bitrate": nominal_bitrate(alphabet, config.sample_rate / codec.hop),
        "causal": config.attention.causal,
        "look_ahead": look_ahead,
        "delay": milliseconds(codec.hop + look_ahead),
        "input": {"audio": ["batch", "samples"], "codes": ["batch", "frames", len(alphabet)]},
        "opset": OPSET,
        "codec": asdict(config),
    }


def _readme(about: dict[str, Any]) -> str:
    causal = (
        "The codec is causal: a frame depends on nothing after it. The graphs take whole"
        f" recordings; `taae stream` codes live, with a delay of one frame ({about['delay']:g} ms)."
    )
    whole = (
        f"The codec looks {milliseconds(about['look_ahead']):g} ms ahead, so it codes whole"
        " recordings."
    )
    return README.substitute(
        rate=about["sample_rate"],
        columns=len(about["levels"]),
        hop=about["hop"],
        levels=" or ".join(str(count) for count in dict.fromkeys(about["levels"])),
        bitrate=f"{about['bitrate']:.0f}",
        delay=causal if about["causal"] else whole,
    )


def synthetic_speech(seconds: float) -> NDArray[np.float32]:
    """Return speech of at least so many seconds, (samples,) at 16 kHz."""
    speaker, texts = (
        draw_speakers({"train": 1, "validation": 0, "test": 0}, seed=0)[0],
        sentences(0),
    )
    labels = [
        Label(str(number), speaker.name, speaker.split, str(speaker.voice), next(texts))
        for number in range(round(seconds))
    ]
    spoken = speak(Passage(speaker.voice, labels, seconds), Target(LOUDNESS, 0.5))
    return np.concatenate(
        [from_int16(each.samples) for each in spoken if isinstance(each, Utterance)]
    )


def compare(codec: Codec, folder: Path, speech: NDArray[np.float32]) -> dict[str, Any]:
    """Code `speech`, cut to several lengths, by the graphs in `folder` and by PyTorch.

    Returns:
        "samples" (the lengths), "codes" and "codes_different" (numbers of codes over all lengths),
        "audio_deviation" (the largest difference of a sample, decoded from the same codes).
    """
    import onnxruntime

    encoder, decoder = (
        onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
        for name in (ENCODER, DECODER)
    )
    around = (1, codec.hop - 1, codec.hop, codec.hop + 1)
    lengths = {*around, *(round(each * SAMPLE_RATE) for each in SECONDS), len(speech)}
    total = different = 0
    deviation = 0.0
    for samples in sorted(each for each in lengths if 0 < each <= len(speech)):
        wave = torch.from_numpy(speech[None, -samples:].copy())
        codes = codec.encode(wave)
        (found,) = encoder.run(None, {"audio": wave.numpy()})
        if found.shape != codes.shape:
            raise TaaeError(f"{ENCODER}: {list(found.shape)} codes, PyTorch {list(codes.shape)}")
        total += codes.numel()
        different += int((found != codes.numpy()).sum())
        (decoded,) = decoder.run(None, {"codes": codes.numpy()})
        deviation = max(deviation, float(np.abs(decoded - codec.decode(codes).numpy()).max()))
    return {
        "samples": sorted(each for each in lengths if 0 < each <= len(speech)),
        "codes": total,
        "codes_different": different,
        "audio_deviation": deviation,
    }


def refuse_deviation(found: dict[str, Any]) -> None:
    """Raise a `TaaeError` where graphs differ from PyTorch by more than rounding explains."""
    if not found["codes_different"] <= MOST_DIFFERENT * found["codes"]:
        raise TaaeError(
            f"{ENCODER}: {found['codes_different']} of {found['codes']} codes differ from"
            f" PyTorch's; at most {MOST_DIFFERENT:.1%} may"
        )
    if not found["audio_deviation"] <= MOST_DEVIATION:  # so is NaN
        raise TaaeError(
            f"{DECODER}: samples differ from PyTorch's by {found['audio_deviation']:.2g}; at most"
            f" {MOST_DEVIATION:g} may"
        )
