"""Codecs that are programs: Opus (opus-tools) and Codec2, with their bits as they are written."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from taae.evaluation.decoded_files import Audio, Coded, fit, without_delay
from taae.evaluation.other_codecs.config import Codec2Settings, OpusSettings
from taae.utils.audio import from_int16, to_int16
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.programs import find_program, run_program

TIMEOUT = 600.0  # seconds that a program may take for one utterance
OPUS_RATE = 48_000  # Hz
# Samples at 48 kHz by which opusdec's output (libopus 1.3.1) lags opusenc's input, the pre-skip
# removed, by what codes the packets: libopus makes its coders equally late to whole samples of
# their own rates only. Peaks of the cross-correlation over 12 utterances of synthetic speech from
# 6 to 64 kbit/s; dispersion spreads them by half a sample, by one in the narrow band.
OPUS_DELAY = {"narrow band": 2, "wide band": -2, "": 0}
CODEC2_RATE = 8_000  # Hz
CODEC2_BYTES = {700: 4, 1200: 6, 1300: 7, 1400: 7, 1600: 8, 2400: 6, 3200: 8}  # of a frame
CODEC2_FRAME = {bitrate: 160 if bitrate >= 2400 else 320 for bitrate in CODEC2_BYTES}
# Samples at 8 kHz by which c2dec's output (codec2 1.0.5) lags c2enc's input. The vocoder keeps no
# waveform, so this is the peak of the cross-correlation of envelopes (|x| below 50 Hz), pooled over
# 16 utterances of LJ Speech: 159 to 164 in the modes of 1200 bit/s and more, that is half of their
# window of 40 ms, and 244 at 700 bit/s.
CODEC2_DELAY = {bitrate: 160 if bitrate >= 1200 else 244 for bitrate in CODEC2_BYTES}


class Opus:
    """Opus through opusenc and opusdec, for speech, at variable bitrate.

    Bits count the audio packets only, not the Ogg container and its two headers. opusdec removes
    the delay that the header states (pre-skip), this class what the coder of the packets adds.
    """

    rate, bitrate = OPUS_RATE, None

    def __init__(self, settings: OpusSettings) -> None:
        """Find the programs, or raise `NotInstalled`."""
        self.kilobits = f"{settings.bitrate / 1000:g}"
        self.version = _version("opus-tools", "opusenc", "opusdec")

    def __call__(self, audio: Audio, _: str) -> Coded:
        """Code (n,) at 48 kHz; what is decoded early begins with zeros."""
        encoding = ["--quiet", "--speech", "--bitrate", self.kilobits]
        # Without --no-dither the same file decodes differently each time.
        decoding = ["--quiet", "--rate", str(self.rate), "--no-dither"]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            soundfile.write(folder / "in.wav", audio, self.rate, subtype="PCM_16")
            run_program(["opusenc", *encoding, "in.wav", "coded.opus"], folder, TIMEOUT)
            run_program(["opusdec", *decoding, "coded.opus", "out.wav"], folder, TIMEOUT)
            decoded, _ = soundfile.read(folder / "out.wav", dtype="float32")
            packets = audio_packets((folder / "coded.opus").read_bytes())
        delay = OPUS_DELAY[opus_coder(packets)]
        return Coded(without_delay(decoded, delay), len(packets), 8 * sum(map(len, packets)), delay)


class Codec2:
    """Codec2 through c2enc and c2dec, at 8 kHz.

    Its files are bare frames of whole bytes; the bits that fill the last byte of a frame, 4 of 32
    at 700 bit/s and of 56 at 1300 bit/s, are not counted.
    """

    rate, bitrate = CODEC2_RATE, None

    def __init__(self, settings: Codec2Settings) -> None:
        """Find the programs, or raise `NotInstalled`."""
        self.nominal = int(settings.bitrate)
        self.mode = "700C" if self.nominal == 700 else str(self.nominal)
        self.version = _version("codec2", "c2enc", "c2dec")

    def __call__(self, audio: Audio, _: str) -> Coded:
        """Code (n,) at 8 kHz; the frames reach to the end of the delayed signal."""
        delay, frame = CODEC2_DELAY[self.nominal], CODEC2_FRAME[self.nominal]
        padded = fit(audio, -(-(audio.size + delay) // frame) * frame)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            to_int16(padded).tofile(folder / "in.raw")
            run_program(["c2enc", self.mode, "in.raw", "coded.bit"], folder, TIMEOUT)
            run_program(["c2dec", self.mode, "coded.bit", "out.raw"], folder, TIMEOUT)
            frames = (folder / "coded.bit").stat().st_size // CODEC2_BYTES[self.nominal]
            decoded = from_int16(np.fromfile(folder / "out.raw", "<i2"))
        bits = frames * self.nominal * frame // CODEC2_RATE
        return Coded(without_delay(decoded, delay), frames, bits, delay)


def opus_coder(packets: Sequence[bytes]) -> str:
    """Return a key of `OPUS_DELAY`: what codes most packets, by their first byte (RFC 6716, 3.1).

    It is SILK at 8 kHz, SILK at 16 kHz, alone or below CELT, or any other.
    """
    coders = Counter(packet[0] >> 3 for packet in packets if packet)
    number = coders.most_common(1)[0][0] if coders else -1
    if 0 <= number < 4:
        return "narrow band"
    return "wide band" if 8 <= number < 16 else ""


def audio_packets(content: bytes) -> list[bytes]:
    """Return the packets of an Ogg Opus file after its two headers.

    RFC 3533: a page is 27 bytes, a table of segment sizes, and the segments; a segment below 255
    bytes ends a packet.
    """
    packets, packet, start = [], b"", 0
    while content[start : start + 4] == b"OggS":
        table = content[start + 27 :][: content[start + 26]]
        start += 27 + len(table)
        for segment in table:
            packet += content[start : start + segment]
            start += segment
            if segment < 255:
                packets.append(packet)
                packet = b""
    if start != len(content) or len(packets) < 2:
        raise TaaeError("opusenc wrote something that is no Ogg file")
    return packets[2:]


def _version(package: str, *programs: str) -> str:
    missing = [program for program in programs if find_program(program) is None]
    if missing:
        raise NotInstalled(
            f"no {' and no '.join(missing)} on the PATH; install {package}"
            f" (Debian: apt install {package})"
        )
    if package == "codec2":  # its programs do not tell
        return package
    done = subprocess.run([programs[0], "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].removeprefix(programs[0]).strip() or package
