"""The metrics of the study, with direction and unit, and why a value of one may be missing.

Definitions are in `taae.evaluation.scoring`; this module imports nothing, so that tables and
figures can name metrics without loading what computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Metric:
    """How a metric is named and read. `better` is +1 where higher is better, else -1.

    `settings` names the exact definition: values of differing settings must not be compared.
    `rated` metrics come from the listeners of a listening test; the others are computed.
    """

    name: str
    label: str
    unit: str
    better: int
    settings: str
    rated: bool = False

    @property
    def heading(self) -> str:
        """The label with the unit and an arrow in the direction of better."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.label}{unit} {'↑' if self.better > 0 else '↓'}"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("si_sdr", "SI-SDR", "dB", +1, "zero-mean"),
        Metric("mel_distance", "Mel distance", "", -1, "auraloss-1024-256-1024-mel128"),
        Metric("stft_distance", "STFT distance", "", -1, "auraloss-1024-256-1024"),
        Metric("mel_distance_dac", "Mel distance (DAC)", "", -1, "dac-2048-512-mel150-80"),
        Metric("stft_distance_dac", "STFT distance (DAC)", "", -1, "dac-2048-512"),
        Metric("pesq_wb", "PESQ-WB", "MOS-LQO", +1, "P.862.2"),
        Metric("pesq_nb", "PESQ-NB", "MOS-LQO", +1, "P.862.1"),
        Metric("stoi", "STOI", "", +1, "Taal-2011"),
        Metric("estoi", "ESTOI", "", +1, "Jensen-2016"),
        Metric("dnsmos_ovrl", "DNSMOS OVRL", "MOS", +1, "sig_bak_ovr"),
        Metric("dnsmos_sig", "DNSMOS SIG", "MOS", +1, "sig_bak_ovr"),
        Metric("dnsmos_bak", "DNSMOS BAK", "MOS", +1, "sig_bak_ovr"),
        Metric("dnsmos_p808", "DNSMOS P.808", "MOS", +1, "model_v8"),
        Metric("mosnet", "MOSNet", "MOS", +1, "cnn_blstm-560a12c9"),
        Metric("mushra", "MUSHRA", "points", +1, "BS.1534-3", rated=True),
        Metric("dcr", "DCR", "DMOS", +1, "P.800", rated=True),
        Metric("preference", "Preference", "", +1, "signed", rated=True),
    )
}
COMPUTED = [name for name, metric in METRICS.items() if not metric.rated]
RATED = [name for name, metric in METRICS.items() if metric.rated]
MAX_TRIM = 320  # samples by which two lengths may differ; a hop of the paper's codec
MOSNET_HELP = (
    "MOSNet needs its published weights: take pre_trained/cnn_blstm.h5 of"
    " https://github.com/lochenchou/MOSNet and set metrics.mosnet.weights to its path or https URL"
)


class Status(StrEnum):
    """The outcome of one metric on one utterance. Only `OK` and `IDENTICAL` carry a value."""

    OK = "ok"
    IDENTICAL = "identical"  # no error to measure; SI-SDR is +inf
    MISSING = "missing"  # the reference has no decoded file
    UNREADABLE = "unreadable"  # a file that no audio decoder takes
    SAMPLE_RATE = "sample_rate"  # a file that is not at 16 kHz; it is never resampled here
    CHANNELS = "channels"  # a file that is not mono
    LEN_MISMATCH = "len_mismatch"  # lengths differ by more than is trimmed
    NONFINITE = "nonfinite"  # NaN or infinity among the samples
    SILENT_REF = "silent_ref"  # see `taae.evaluation.scoring.pairing.is_silent`
    SILENT_DEG = "silent_deg"
    TOO_SHORT = "too_short"  # shorter than the metric is defined for
    TOO_LONG = "too_long"  # longer than the metric is trusted with
    NO_UTTERANCE = "no_utterance"  # PESQ finds no speech
    DEGENERATE = "degenerate"  # the metric is not defined here, e.g. 0/0
    NOT_INSTALLED = "not_installed"  # the codec that should have decoded it is not there
    CRASH = "crash"  # the metric's library raised an error or died

    @property
    def failed(self) -> bool:
        """Whether there is no value."""
        return self not in (Status.OK, Status.IDENTICAL)


class Failure(Exception):
    """A metric has no value: its status, and a message for the row."""

    def __init__(self, status: Status, message: str) -> None:
        """Keep both, as arguments too: an exception is pickled by them."""
        super().__init__(status, message)
        self.status = status
        self.message = message
