"""The metrics of the study: one place for each one's name, direction and unit.

Definitions are in `taae.evaluation.scoring`; this module imports nothing, so that tables and
figures can name metrics without loading what computes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """How a metric is named and read. `better` is +1 where higher is better, else -1.

    `settings` names the exact definition: values of differing settings must not be compared.
    """

    name: str
    label: str
    unit: str
    better: int
    settings: str

    @property
    def arrow(self) -> str:
        """An arrow in the direction of better."""
        return "↑" if self.better > 0 else "↓"


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
    )
}
MAX_TRIM = 320  # samples by which two lengths may differ; a hop of the paper's codec
MOSNET_HELP = (
    "MOSNet needs its published weights: take pre_trained/cnn_blstm.h5 of"
    " https://github.com/lochenchou/MOSNet and set metrics.mosnet.weights to its path or https URL"
)
