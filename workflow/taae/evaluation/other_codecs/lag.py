"""By how much decoded speech is late: one figure for a codec, and whether all utterances agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from taae.evaluation.decoded_files import Audio

FARTHEST = 8000  # samples at 16 kHz: half a second
CLOSE = 16  # samples, 1 ms: lags that differ by no more count as one
LEAST = 0.1  # least correlation at the peak: below it, the codec keeps no waveform to go by


class Lag:
    """The cross-correlation of decoded utterances with their references, summed over them."""

    def __init__(self) -> None:
        self._sum = np.zeros(2 * FARTHEST + 1)
        self._energy = 0.0
        self._own: list[int] = []

    def add(self, reference: Audio, decoded: Audio) -> None:
        """Add a pair (n,) and (m,) at 16 kHz."""
        from scipy import fft  # here and not above: it takes a second

        one, other = (each.astype(np.float64) - each.mean() for each in (reference, decoded))
        size = fft.next_fast_len(one.size + other.size + FARTHEST, real=True)
        product = fft.rfft(other, size) * fft.rfft(one, size).conj()
        correlation = fft.irfft(product, size)
        near = np.concatenate([correlation[-FARTHEST:], correlation[: FARTHEST + 1]])
        energy = float(np.linalg.norm(one) * np.linalg.norm(other))
        self._sum += near
        self._energy += energy
        own = _peak(near, energy)
        if own is not None:
            self._own.append(own)

    def samples(self) -> int | None:
        """Return how late the decoded speech is at 16 kHz; negative where it is early.

        None where no waveform is kept, as by a vocoder, or nothing was added.
        """
        return _peak(self._sum, self._energy)

    def others(self) -> int:
        """Return of how many utterances the own lag is another one."""
        lag = self.samples()
        return 0 if lag is None else sum(abs(own - lag) > CLOSE for own in self._own)


def _peak(correlation: NDArray[np.float64], energy: float) -> int | None:
    """Return where the correlation is largest, in samples from its middle."""
    peak = int(np.argmax(np.abs(correlation)))  # a codec may turn the sign
    if energy == 0 or abs(correlation[peak]) < LEAST * energy:
        return None
    return peak - FARTHEST
