"""The training objective: how far a decoded waveform is from its target, and the sum of all terms.

Every term is a mean over the segments of a batch, so that a batch may be cut into parts, one after
the other or on several devices, and the mean of the parts' gradients is the gradient of the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.training.config import Loss, Perceptual
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.huggingface import load_network
from taae.utils.mel import mel_bank

FLOOR = 1e-3  # STFT magnitude (of a unit-energy window) under which differences do not count
MELS = 80  # bands of windows of 512 samples and more; 10 at 64
QUIET = 1e-2  # RMS, 20 dB below that of speech at -20 LUFS: quieter segments count as this loud
FEATURE_FLOOR = 1e-3  # mean magnitude of the target's features in another network, at least
NORM_EPS = 1e-7  # of WavLM's own preparation of waveforms
RECONSTRUCTION = ("log_magnitude", "mel", "complex", "waveform")
TERMS = (*RECONSTRUCTION, "adversarial", "feature_matching", "perceptual")
Terms = dict[str, Tensor]  # scalars, by name


def weights(loss: Loss, step: int) -> dict[str, float]:
    """Return the weight of each term at a training step.

    The waveform term, the paper's L1 of samples, finds the phase at first and then gives way.
    """
    found = {name: float(getattr(loss, name)) for name in TERMS}
    if loss.waveform_half_life:
        found["waveform"] *= 0.5 ** (step / loss.waveform_half_life)
    return found


def weighted_sum(terms: Terms, weights: dict[str, float]) -> Tensor:
    """Return the sum over the terms that have a weight; the others cost no backward pass."""
    weighted = [weights[name] * term for name, term in terms.items() if weights.get(name)]
    return torch.stack(weighted or [0 * term for term in terms.values()]).sum()


def relative(value: Tensor, target: Tensor, floor: float) -> Tensor:
    """Return mean |value - target| over mean |target| (at least `floor`), averaged over a batch."""
    value, target = value.float().flatten(1), target.float().flatten(1)
    return ((value - target).abs().mean(1) / target.abs().mean(1).clamp_min(floor)).mean()


class ReconstructionLoss(nn.Module):
    """Multi-resolution STFT and waveform distances of each segment s from its target t.

    For each window length, with Hann windows of unit energy that overlap by `loss.overlap`:

    log_magnitude: mean of |L(S) - L(T)|, L(X) = ln(|X|^2 + f^2) / 2, f = `FLOOR`. Says nothing
        about phase.
    mel: the same of magnitudes in mel bands, at most `MELS` and fewer for short windows. Each band
        is a triangle of Slaney's scale and unit Euclidean norm. It weighs low frequencies as the
        ear does.
    complex: ||S - T|| / ||T||, Euclidean norms. Without such a term a short training never finds
        the phase and SI-SDR stays far below 0 dB. The Euclidean distance gains 1 dB of SI-SDR and
        0.04 of STOI over the sum of absolute values at equal time.
    waveform: sum of |s - t| over the sum of |t|.

    The first three are averaged over the window lengths, all over the segments. The denominators
    are at least as large as for a segment of RMS `QUIET`, so that no silence is divided by.
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.spectra = nn.ModuleList(
            Spectrum(length, round(length * (1 - loss.overlap))) for length in loss.windows
        )

    def forward(self, decoded: Tensor, target: Tensor) -> Terms:
        """Return each term for (batch, samples) in float32."""
        log_magnitude, mel, complex_ = [], [], []
        for spectrum in self.spectra:
            assert isinstance(spectrum, Spectrum)
            s, t = spectrum(decoded), spectrum(target)
            least = QUIET * (t[0].numel() / 2) ** 0.5  # |T|^2 is the power at a unit-energy window
            complex_.append((_norm(s - t) / _norm(t).clamp_min(least)).mean())
            powers = [each.square().sum(-1) for each in (s, t)]
            log_magnitude.append(_log_distance(*powers))
            mel.append(_log_distance(*map(spectrum.mel_powers, powers)))
        return {
            "log_magnitude": torch.stack(log_magnitude).mean(),
            "mel": torch.stack(mel).mean(),
            "complex": torch.stack(complex_).mean(),
            "waveform": relative(decoded, target, QUIET),
        }


class Spectrum(nn.Module):
    """Short-time Fourier transform without padding: whole windows only."""

    window: Tensor
    bank: Tensor

    def __init__(self, length: int, hop: int) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        window = torch.hann_window(length)
        self.register_buffer("window", window / window.norm(), persistent=False)
        bank = torch.from_numpy(mel_bank(length, min(MELS, 5 * length // 32))).float()
        self.register_buffer("bank", (bank / bank.norm(dim=1, keepdim=True)).T, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """(batch, samples) -> (batch, windows, length / 2 + 1, 2): real and imaginary parts."""
        windowed = wave.unfold(1, self.length, self.hop) * self.window
        return torch.view_as_real(torch.fft.rfft(windowed))

    def mel_powers(self, power: Tensor) -> Tensor:
        """Return squared magnitudes in mel bands: (..., length / 2 + 1) -> (..., bands)."""
        # The floor keeps the gradient of the root finite at silence.
        return (torch.sqrt(power + FLOOR**2) @ self.bank.to(power)).square()


def _norm(spectrum: Tensor) -> Tensor:
    """Return the Euclidean norm of each segment's spectrum."""
    norm: Tensor = torch.linalg.vector_norm(spectrum, dim=(1, 2, 3))
    return norm


def _log_distance(power: Tensor, target: Tensor) -> Tensor:
    """Return the mean difference of ln(P + f^2) / 2."""
    return 0.5 * (torch.log(power + FLOOR**2) - torch.log(target + FLOOR**2)).abs().mean()


class WavLMLoss(nn.Module):
    """The perceptual term: features of WavLM (arXiv 2110.13900), a network trained on speech alone.

    With h_l the hidden states of layer l, x a segment and y its reconstruction:

    perceptual: mean over l of  mean |h_l(x) - h_l(y)| / mean |h_l(x)|

    The paper adds an L1 distance of WavLM-Large's features in the second part of its training. Here
    each layer is divided by its own magnitude, so that all layers count alike.
    WavLM takes 16 kHz, as the codec does; it is frozen, and gradients pass through it to y alone.

    Raises:
        TaaeError: transformers or the weights are not there, or have no such layer.
    """

    def __init__(self, settings: Perceptual) -> None:
        super().__init__()
        try:
            network = load_network("WavLMModel", "wavlm", settings.weights)
        except NotInstalled as error:
            raise TaaeError(f"training.perceptual: {error}") from error
        self.network: nn.Module = network.eval().requires_grad_(False)
        depth = network.config.num_hidden_layers
        self.layers = settings.layers or list(range(depth + 1))
        if max(self.layers) > depth:
            raise TaaeError(
                f"training.perceptual.layers: {max(self.layers)}; {settings.weights} has hidden"
                f" states 0 to {depth}"
            )
        # Networks with layer norm in their convolutions were trained on normalised waveforms.
        self.normalise = network.config.feat_extract_norm == "layer"

    def forward(self, decoded: Tensor, target: Tensor) -> Tensor:
        """Return the term for (batch, samples) at 16 kHz."""
        with torch.no_grad():
            true = self._features(target)
        pairs = zip(self._features(decoded), true, strict=True)
        return torch.stack([relative(y, x, FEATURE_FLOOR) for y, x in pairs]).mean()

    def _features(self, wave: Tensor) -> list[Tensor]:
        if self.normalise:
            wave = F.layer_norm(wave, wave.shape[1:], eps=NORM_EPS)
        states = self.network(wave, output_hidden_states=True).hidden_states
        return [states[layer] for layer in self.layers]
