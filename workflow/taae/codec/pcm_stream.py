"""16-bit PCM through a codec in real time: bytes in, decoded bytes out, and how long it took."""

from __future__ import annotations

import time
from collections import deque
from typing import BinaryIO

import numpy as np
import torch

from taae.codec.codec import Codec
from taae.codec.streaming import StreamingDecoder, StreamingEncoder
from taae.utils.audio import from_int16, to_int16
from taae.utils.errors import TaaeError

SAMPLE_BYTES = 2
REMEMBERED = 100_000  # chunks whose times make the percentiles: the last, so that memory is flat


class PcmStream:
    """Encodes and decodes little-endian 16-bit mono PCM at the codec's rate, chunk by chunk.

    Args:
        codec: a causal codec.
        chunk: latent frames per step; each step answers with as many samples as it was given.
    """

    def __init__(self, codec: Codec, chunk: int = 1) -> None:
        self.encoder, self.decoder = StreamingEncoder(codec), StreamingDecoder(codec)
        self.codec, self.chunk, self.read = codec, chunk, 0
        self.size = SAMPLE_BYTES * chunk * codec.hop  # of the chunks that are read
        self.seconds, self.spent = deque[float](maxlen=REMEMBERED), 0.0
        self._step(bytes(self.size), last=True)  # the first is slow: not timed

    def run(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Decode all of `source` to `sink`; as many samples come out as went in.

        Raises:
            TaaeError: for half a sample at the end, when all before it has been written.
            BrokenPipeError: when nobody reads `sink` any more.
        """
        last = False
        while not last:
            data = source.read(self.size)
            last = len(data) < self.size  # a read is short at the end alone
            whole = data[: len(data) // SAMPLE_BYTES * SAMPLE_BYTES]
            self.read += len(whole) // SAMPLE_BYTES
            started = time.perf_counter()
            decoded = self._step(whole, last)
            if whole:
                self.seconds.append(time.perf_counter() - started)
                self.spent += self.seconds[-1]
            sink.write(decoded)
            sink.flush()
        if len(data) % SAMPLE_BYTES:
            raise TaaeError(
                f"stdin: an odd byte after {self.read} samples, which were decoded; 16-bit PCM"
                " has two bytes per sample, so the input was cut or is of another format"
            )

    def _step(self, data: bytes, last: bool) -> bytes:
        wave = torch.from_numpy(from_int16(np.frombuffer(data, "<i2")))[None]
        codes = self.encoder.push(wave)
        if last:
            codes = torch.cat([codes, self.encoder.flush()], 1)
        decoded = self.decoder.push(codes)[0, : wave.shape[1]].numpy()
        if last:
            self.decoder.flush()
        return to_int16(decoded).tobytes()

    def report(self) -> dict[str, float | int | None]:
        """Return samples, frames, the compute time per chunk of a stream (ms), and its share.

        `rtf` is compute time over duration: below 1 the stream keeps up.
        """
        times, duration = 1000 * np.array(self.seconds), self.read / self.codec.config.sample_rate
        points = np.percentile(times, [50, 95, 99]).round(3).tolist() if len(times) else [None] * 3
        return {
            "samples": self.read,
            "frames": -(-self.read // self.codec.hop),
            "chunk_frames": self.chunk,
            **dict(zip(("frame_ms_median", "frame_ms_p95", "frame_ms_p99"), points, strict=True)),
            "rtf": round(self.spent / duration, 4) if duration else None,
        }
