"""The .taae file: every damage is found, sizes are bounded, other models are refused."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.codec.bitstream.container import Packet, model_fingerprint, read_taae, write_taae
from taae.codec.bitstream.entropy_model import Codes, EntropyModel
from taae.codec.operating_points import PRESET_POINTS, Stage
from taae.utils.errors import TaaeError

HEADER = 27
LEVELS = (17, 17, 17)


def skewed(seed: int, frames: int) -> Codes:
    rng = np.random.default_rng(seed)
    return rng.binomial(16, 0.5, (frames, 3)).astype(np.uint8)


def uniform(seed: int, frames: int) -> Codes:
    return np.random.default_rng(seed).integers(0, 17, (frames, 3)).astype(np.uint8)


MODEL = EntropyModel.fit([skewed(0, 2000)], LEVELS, 1)


def packet(codes: Codes, tokens: EntropyModel | None = MODEL, **changes: object) -> Packet:
    fields: dict[str, object] = {"model": b"abcd", "samples": 4000, "level": 0.5, "stages": ()}
    return Packet.of(codes, LEVELS, tokens, **fields | changes)  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(
    frames=st.integers(0, 40),
    samples=st.integers(0, 2**32 - 1),
    level=st.floats(2.0**-20, 2.0**20, width=32),
    model=st.binary(min_size=4, max_size=4),
    stages=st.sampled_from([(), *PRESET_POINTS.values(), (Stage(255, 0.5),) * 255]),
    likely=st.booleans(),
    use=st.booleans(),
)
def test_a_file_holds_what_went_in(
    frames: int,
    samples: int,
    level: float,
    model: bytes,
    stages: tuple[Stage, ...],
    likely: bool,
    use: bool,
) -> None:
    codes = skewed(1, frames) if likely else uniform(1, frames)
    tokens = MODEL if use else None
    made = packet(codes, tokens, samples=samples, level=level, model=model, stages=stages)
    data = made.to_bytes()
    back = Packet.from_bytes(data)
    assert back == made
    assert (back.samples, back.level, back.model, back.stages) == (samples, level, model, stages)
    assert np.array_equal(back.codes(frames, LEVELS, tokens), codes)
    nominal = frames * 3 * math.log2(17) / 8
    assert len(data) <= HEADER + 5 * len(stages) + math.ceil(nominal)


def test_the_layout_is_the_documented_one() -> None:
    codes = np.array([[1, 2, 3]], np.uint8)
    made = packet(codes, None, stages=(Stage(5, 0.25),))
    number = 1 + 17 * 2 + 17**2 * 3
    rest = b"abcd" + bytes(4) + struct.pack("<IfBBf", 4000, 0.5, 1, 5, 0.25)
    rest += number.to_bytes(2, "little")
    checksum = zlib.crc32(b"TAAE\x01\x00" + rest)
    assert made.to_bytes() == b"TAAE\x01\x00" + struct.pack("<I", checksum) + rest


def test_likely_codes_are_coded_below_nominal_and_unlikely_ones_packed() -> None:
    nominal = 500 * 3 * math.log2(17) / 8
    coded = packet(skewed(1, 500))
    assert coded.entropy_model == MODEL.fingerprint
    assert len(coded.to_bytes()) < 0.85 * nominal
    packed = packet(uniform(1, 500))
    assert packed.entropy_model == b""
    assert len(packed.to_bytes()) <= HEADER + math.ceil(nominal)
    assert np.array_equal(packed.codes(500, LEVELS, None), uniform(1, 500))


@pytest.mark.parametrize("codes", [skewed(1, 9), uniform(1, 9)], ids=["coded", "packed"])
def test_every_changed_byte_is_found(codes: Codes) -> None:
    data = packet(codes, stages=(Stage(5, 1.0),)).to_bytes()
    for place in range(len(data)):
        for change in range(1, 256):
            damaged = bytearray(data)
            damaged[place] ^= change
            with pytest.raises(TaaeError):
                Packet.from_bytes(bytes(damaged))


@pytest.mark.parametrize("codes", [skewed(1, 9), uniform(1, 9)], ids=["coded", "packed"])
def test_every_truncation_and_any_tail_is_found(codes: Codes) -> None:
    data = packet(codes).to_bytes()
    for length in range(len(data)):
        with pytest.raises(TaaeError, match=r"truncated|not a .taae file"):
            Packet.from_bytes(data[:length])
    with pytest.raises(TaaeError, match="damaged"):
        Packet.from_bytes(data + b"\0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a .taae file"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a .taae file"),
        (b"TA", "truncated"),
        (b"TAAE\x02" + bytes(40), "version 2"),
        (b"TAAE\x01" + bytes(40), "damaged"),
    ],
)
def test_what_is_no_such_file_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.taae"
    path.write_bytes(content)
    with pytest.raises(TaaeError, match=rf"x\.taae: .*{words}"):
        read_taae(path)


def test_files_are_written_and_read(tmp_path: Path) -> None:
    made = packet(skewed(1, 20))
    write_taae(tmp_path / "a.taae", made)
    assert read_taae(tmp_path / "a.taae") == made
    with pytest.raises(TaaeError, match="no such file"):
        read_taae(tmp_path / "b.taae")


def test_another_token_model_is_refused() -> None:
    coded = packet(skewed(1, 50))
    other = EntropyModel.fit([skewed(5, 2000)], LEVELS, 1)
    with pytest.raises(TaaeError, match="another entropy model"):
        coded.codes(50, LEVELS, other)
    with pytest.raises(TaaeError, match="needs the entropy model"):
        coded.codes(50, LEVELS, None)
    with pytest.raises(TaaeError, match="fit one at this operating point"):
        packet(skewed(1, 50), EntropyModel.fit([], (5, 5, 5), 0))


def test_a_packed_payload_of_another_length_is_refused() -> None:
    packed = packet(uniform(1, 50), None)
    with pytest.raises(TaaeError, match="frames"):
        packed.codes(60, LEVELS, None)


def test_a_model_is_known_by_its_config_and_its_weights(tmp_path: Path) -> None:
    seen = set()
    for config, weights in (("{}", b"1"), ("{ }", b"1"), ("{}", b"2")):
        (tmp_path / "config.json").write_text(config)
        (tmp_path / "model.safetensors").write_bytes(weights)
        seen.add(model_fingerprint(tmp_path))
    assert len(seen) == 3
