"""The hard conditions of a study by name, in the order of tables and figures. No torch."""

from __future__ import annotations

from typing import NamedTuple

from taae.evaluation.robustness.config import Robustness

CLEAN, LOSS, PASS, GAIN, NOISE, BAND = "clean", "loss", "pass", "gain", "noise", "band"
FLIP = "flip-"  # and what codes become


class Condition(NamedTuple):
    """A condition and how hard it is.

    `amount` is a share of the codes (flips) or latent frames (losses), a number of passes, dB
    (gain, signal-to-noise ratio) or Hz (band); of clean speech 0.
    """

    name: str
    amount: float


ORIGINAL = Condition(CLEAN, 0.0)


def conditions(settings: Robustness) -> list[Condition]:
    """Return clean speech, then every condition."""
    found = [(f"{FLIP}{to}", rate) for to in settings.flips.to for rate in settings.flips.rates]
    found += [(LOSS, share) for share in settings.losses]
    found += [(PASS, number) for number in sorted(settings.passes)]
    found += [(GAIN, gain) for gain in settings.gains_db]
    found += [(NOISE, ratio) for ratio in settings.noise_db]
    found += [(BAND, width) for width in settings.band_hz]
    return [ORIGINAL, *(Condition(name, float(amount)) for name, amount in found)]


def condition_label(name: str, amount: float) -> str:
    """Return a condition in words, as they follow "with"."""
    if name.startswith(FLIP):
        level = "a neighbour" if name == f"{FLIP}neighbour" else "any other level"
        return f"{100 * amount:g} % of codes flipped to {level}"
    return {
        CLEAN: "clean speech",
        LOSS: f"{100 * amount:g} % of frames lost",
        PASS: f"{amount:g} passes through the codec",
        GAIN: f"an input of {amount:+g} dB",
        NOISE: f"noise at {amount:g} dB SNR in the input",
        BAND: f"an input of {amount:g} Hz bandwidth",
    }[name]
