"""Which other codec, at which operating point: an entry of `codecs:` in the config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from taae.utils.errors import TaaeError
from taae.utils.settings import Settings

OPTION = {  # what sets the bitrate of each kind
    "opus": "bitrate",
    "codec2": "bitrate",
    "encodec": "bitrate",
    "dac": "quantizers",
    "mimi": "quantizers",
}
Kind = Literal[*OPTION]  # type: ignore[valid-type]  # their names stand in one place
PRETRAINED = ("encodec", "dac", "mimi")  # kinds that have weights
CODEC2_BITRATES = (700, 1200, 1300, 1400, 1600, 2400, 3200)
OPUS_LEAST, OPUS_MOST = 6_000, 256_000  # bit/s that opusenc takes for one channel


@dataclass(frozen=True)
class OtherCodec(Settings):
    """Another codec at one operating point, in the same tables as the variants."""

    kind: Kind
    """Opus and codec2 are programs to install; encodec, dac and mimi need taae[codecs]."""
    bitrate: PositiveFloat | None = None
    """[bit/s] Bitrate of opus, codec2 and encodec."""
    quantizers: PositiveInt | None = None
    """Codebooks used, of dac and mimi."""
    weights: str = ""
    """Weights of encodec, dac and mimi: a folder that from_pretrained reads, or a repository of the
    Hugging Face hub."""

    def check(self) -> None:
        """Raise a `TaaeError` for an operating point that the codec does not have."""
        given = {"bitrate": self.bitrate, "quantizers": self.quantizers}
        option = OPTION[self.kind]
        if given.pop(option) is None:
            raise TaaeError(f"{self.kind} needs {option}")
        if any(value is not None for value in given.values()):
            raise TaaeError(f"{self.kind} is set by {option}, not by {', '.join(given)}")
        if bool(self.weights) != (self.kind in PRETRAINED):
            raise TaaeError(
                f"{self.kind} has no weights; remove the key"
                if self.weights
                else f"{self.kind} needs weights: a folder, or a repository of the Hugging Face hub"
            )
        if self.kind == "codec2" and self.bitrate not in CODEC2_BITRATES:
            known = ", ".join(map(str, CODEC2_BITRATES))
            raise TaaeError(f"bitrate: codec2 has {known} bit/s, not {self.bitrate:g}")
        if self.kind == "opus" and not OPUS_LEAST <= (self.bitrate or 0) <= OPUS_MOST:
            raise TaaeError(
                f"bitrate: opus takes {OPUS_LEAST} to {OPUS_MOST} bit/s, not {self.bitrate:g}"
            )
