"""The training objective: how far a decoded waveform is from its target."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from taae.study import Loss

FLOOR = 1e-3  # STFT magnitude (of a unit-energy window) under which differences do not count


class Reconstruction(nn.Module):
    """Multi-resolution STFT and waveform distances.

    For each window length, with Hann windows of unit energy that overlap by `loss.overlap`:

    log_magnitude: mean of |L(S) - L(T)|, L(X) = ln(|X|^2 + f^2) / 2, f = `FLOOR`. Says nothing
        about phase.
    complex: ||S - T|| / ||T||, Euclidean norms over the batch. Without such a term a short
        training never finds the phase and SI-SDR stays far below 0 dB; as a Euclidean distance
        it gains 1 dB of SI-SDR and 0.04 of STOI on one of absolute values at equal time.
    waveform: sum of |s - t| over the sum of |t|.

    The first two are averaged over the window lengths.
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.weights = {
            "log_magnitude": loss.log_magnitude,
            "complex": loss.complex,
            "waveform": loss.waveform,
        }
        self.spectra = nn.ModuleList(
            Spectrum(length, round(length * (1 - loss.overlap))) for length in loss.windows
        )

    def forward(self, decoded: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return each term, and `loss`, their weighted sum, for (batch, samples) in float32."""
        log_magnitude, complex_ = [], []
        for spectrum in self.spectra:
            s, t = spectrum(decoded), spectrum(target)
            complex_.append((s - t).norm() / t.norm().clamp_min(FLOOR))
            log_magnitude.append((_log_magnitude(s) - _log_magnitude(t)).abs().mean())
        terms = {
            "log_magnitude": torch.stack(log_magnitude).mean(),
            "complex": torch.stack(complex_).mean(),
            "waveform": (decoded - target).abs().sum() / target.abs().sum().clamp_min(FLOOR),
        }
        loss = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return {"loss": loss, **terms}


class Spectrum(nn.Module):
    """Short-time Fourier transform without padding: whole windows only."""

    window: Tensor

    def __init__(self, length: int, hop: int) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        window = torch.hann_window(length)
        self.register_buffer("window", window / window.norm(), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """(batch, samples) -> (batch, windows, length / 2 + 1, 2): real and imaginary parts."""
        windowed = wave.unfold(1, self.length, self.hop) * self.window
        return torch.view_as_real(torch.fft.rfft(windowed))


def _log_magnitude(spectrum: Tensor) -> Tensor:
    """ln(|S|^2 + f^2) / 2: (..., re and im) -> (...)."""
    return 0.5 * torch.log(spectrum.square().sum(-1) + FLOOR**2)
