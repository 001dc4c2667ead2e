"""A recording to a .taae file and back, with a trained model."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from taae.codec.bitstream.container import Packet, model_fingerprint, read_taae, write_taae
from taae.codec.bitstream.entropy_model import ORDERS, EntropyModel, entropy_model_path
from taae.codec.codec import load_codec
from taae.codec.operating_points import NATIVE, name_of, stages_of
from taae.utils.audio import (
    BLOCK,
    RejectedError,
    from_int16,
    loudness_gain,
    read_audio,
    to_int16,
    to_mono,
)
from taae.utils.errors import TaaeError
from taae.utils.files import atomic
from taae.utils.sample_rate import SAMPLE_RATE

LOUDNESS = -20.0  # LUFS; the paper's, and the default of corpus.loudness


def encode_file(
    source: Path,
    target: Path,
    model: Path,
    point: str = NATIVE,
    entropy_model: Path | None = None,
) -> None:
    """Encode a recording of any rate and number of channels, as 16 kHz mono at -20 LUFS.

    The file holds the gain that leads back to its level. A recording that is too short or silent to
    have a loudness keeps its level.

    Args:
        model: folder of the model.
        point: operating point, see `taae.codec.operating_points`.
        entropy_model: file of an entropy model; by default the one in the model's folder. Without
            an entropy model the codes are packed at the nominal bitrate.
    """
    stages = stages_of(point)
    codec = load_codec(model).with_bottleneck(stages)
    wave, level = _normalised(source)
    codes = codec.encode(torch.from_numpy(wave)[None])[0].to(torch.uint8).numpy()
    path = entropy_model or entropy_model_path(model / "entropy-models", name_of(stages))
    packet = Packet.of(
        codes,
        codec.config.bottleneck.alphabet(stages),
        EntropyModel.load(path) if entropy_model or path.exists() else None,
        model=model_fingerprint(model),
        samples=len(wave),
        level=level,
        stages=stages,
    )
    write_taae(target, packet)


def decode_file(source: Path, target: Path, model: Path, entropy_model: Path | None = None) -> None:
    """Decode a .taae file to 16 kHz audio, as long and as loud as the recording was.

    Args:
        target: its suffix is the format: .wav or .flac, 16 bit.
        model: folder of the model that encoded it.
        entropy_model: entropy model, if it was not the one in the model's folder.

    Raises:
        TaaeError: the file is foreign, damaged, truncated or of another model.
    """
    packet, codec = read_taae(source), load_codec(model)
    if packet.model != model_fingerprint(model):
        raise TaaeError(f"{source}: was encoded with another model than {model}")
    frames = -(-packet.samples // codec.hop)
    alphabet = codec.config.bottleneck.alphabet(packet.stages)
    try:
        codes = packet.codes(frames, alphabet, _entropy_model_of(packet, model, entropy_model))
    except TaaeError as error:
        raise TaaeError(f"{source}: {error}") from None
    codec = codec.with_bottleneck(packet.stages)
    wave = codec.decode(torch.from_numpy(codes).long()[None], packet.samples)[0].numpy()
    with atomic(target) as temporary:
        try:
            samples = np.clip(wave * packet.level, -1, 1)
            soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16")
        except (TypeError, ValueError, soundfile.SoundFileError) as error:
            raise TaaeError(f"{target}: cannot write ({error}); use .wav or .flac") from error


def _normalised(source: Path) -> tuple[NDArray[np.float32], float]:
    """Return a recording as the corpus would hold it, and what leads back to its level."""
    try:
        audio, rate = read_audio(source)
    except RejectedError as error:
        raise TaaeError(f"{source}: {error.reason} ({error.detail})") from None
    if not len(audio):
        raise TaaeError(f"{source}: no samples")
    if not np.isfinite(audio).all():
        raise TaaeError(f"{source}: has samples that are no numbers; repair the recording")
    mono = to_mono(audio, rate)
    gain = 1.0
    if len(mono) >= BLOCK * SAMPLE_RATE:
        with suppress(RejectedError):  # silent
            gain, _ = loudness_gain(mono, LOUDNESS)
    return from_int16(to_int16(mono * gain)), 1 / gain


def _entropy_model_of(packet: Packet, model: Path, given: Path | None) -> EntropyModel | None:
    """Return the entropy model that a file was coded with, if it was with one that is there."""
    if not packet.entropy_model:
        return None
    if given:
        return EntropyModel.load(given)
    folder, point = model / "entropy-models", name_of(packet.stages)
    paths = [entropy_model_path(folder, point, order) for order in ORDERS]
    models = [EntropyModel.load(path) for path in paths if path.exists()]
    return next((each for each in models if each.fingerprint == packet.entropy_model), None)
