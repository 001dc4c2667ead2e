"""What every other codec is to a study: any object with these."""

from __future__ import annotations

from typing import Protocol

from taae.evaluation.decoded_files import Audio, Coded


class Codec(Protocol):
    """A codec at one operating point, made from its settings and ready to use."""

    @property
    def rate(self) -> int:
        """Sample rate that it works at in Hz."""

    @property
    def version(self) -> str:
        """Which codec this is."""

    @property
    def bitrate(self) -> float | None:
        """As declared in bit/s; None where the codec counts its bits."""

    def __call__(self, audio: Audio, utterance: str, /) -> Coded | None:
        """Encode and decode an utterance (n,) at `rate`; None where there is no audio of it.

        Returns about (n,) at `rate`, longer by `delay` where that is negative, and in time with the
        input but for a delay that is not known.

        Raises:
            TaaeError: it failed.
        """
