"""Scores of decoded speech: metrics, mosnet, score, score-model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from taae.cli.shared import AUDIO, Jobs, Study, among, command
from taae.evaluation.metrics import COMPUTED, MAX_TRIM, METRICS, STANDARD
from taae.study.load import DEMO, load_study
from taae.utils.options import Whole


@command(AUDIO)
def metrics(
    *, describe: Annotated[str | None, among(METRICS)] = None, markdown: bool = False
) -> None:
    """List the metrics: what each is, needs, costs and is good for.

    Args:
        describe: metric that is told in full, with its settings, source and statuses.
        markdown: print the table of docs/metrics.md.
    """
    from taae.evaluation import metric_list

    if describe:
        print(metric_list.description(METRICS[describe]))
    else:
        print(metric_list.markdown() if markdown else metric_list.listing())


@command()
def mosnet(*, weights: str, output: Path) -> None:
    """Fetch MOSNet's published weights and check them.

    Args:
        weights: path or https URL of cnn_blstm.h5.
        output: file.
    """
    from taae.evaluation.scoring.mosnet import fetch_weights

    fetch_weights(weights, output)


@command(AUDIO)
def hear(
    *,
    reference: Path,
    output: Path,
    manifest: Path | None = None,
    asr_model: Path | None = None,
    asr_language: str = "en",
    jobs: Jobs = 1,
) -> None:
    """Write what a recogniser hears in reference audio, once for all `score --heard` of it.

    Args:
        reference: folder of reference audio.
        output: CSV, one row per utterance.
        manifest: CSV with the columns utterance and text, which is what is said.
        asr_model: folder of a Whisper model of CTranslate2; by itself the packaged tiny.en.
        asr_language: that is spoken.
    """
    from taae.evaluation.config import ASR
    from taae.evaluation.installed import check_installed
    from taae.evaluation.scoring.heard import hear_references
    from taae.evaluation.scoring.pairing import read_transcripts
    from taae.evaluation.scoring.recogniser import load_recogniser
    from taae.utils.files import write_csv

    asr = ASR(str(asr_model or ""), asr_language)
    check_installed(["wer"], asr=asr)
    recogniser = load_recogniser(asr)
    transcripts = read_transcripts(manifest) if manifest else {}
    write_csv(hear_references(reference, transcripts, recogniser, jobs), output)


@command(AUDIO)
def score(
    *,
    reference: Path,
    decoded: Path,
    output: Path,
    metrics: Annotated[list[str] | None, among(COMPUTED)] = None,
    max_failed: float = 0.1,
    max_seconds: float = 30.0,
    max_trim: Whole = MAX_TRIM,
    manifest: Path | None = None,
    run: str | None = None,
    variant: str | None = None,
    split: str | None = None,
    seed: Whole = 0,
    bitrate: float | None = None,
    codec_json: Path | None = None,
    mosnet_weights: Path | None = None,
    ge2e_weights: str = "",
    wavlm_weights: str = "",
    heard: Path | None = None,
    asr_model: Path | None = None,
    asr_language: str = "en",
    max_reference_wer: float = 0.5,
    cache: Path | None = None,
    jobs: Jobs = 1,
) -> None:
    """Score decoded audio against its reference.

    Args:
        reference: folder of reference audio.
        decoded: folder of decoded audio; files pair by name without extension.
        output: CSV, one row per utterance and metric.
        metrics: names; by itself all but the optional ones.
        max_failed: largest share of a metric's values that may fail.
        max_seconds: longest utterance for PESQ.
        max_trim: samples that lengths may differ by, a hop of the codec.
        manifest: CSV with the columns utterance and speaker, and text for wer and cer.
        run: of every row; by itself the name of DECODED.
        variant: of every row; by itself the name of DECODED.
        split: of every row.
        seed: of every row.
        bitrate: of every row, bit/s.
        codec_json: codec.json of another codec: its bitrate, or that it is not installed.
        mosnet_weights: cnn_blstm.h5; without it mosnet is left out.
        ge2e_weights: pretrained.pt of Resemblyzer, where the package is not installed.
        wavlm_weights: folder or hub repository of WavLM for speaker verification.
        heard: CSV of `taae hear`; without it wer, cer and dwer hear the references first.
        asr_model: folder of a Whisper model of CTranslate2; by itself the packaged tiny.en.
        asr_language: that is spoken.
        max_reference_wer: word error rate on the references above which wer and cer are left out.
        cache: file that keeps values for the next call.
    """
    from taae.evaluation.config import ASR, Speaker
    from taae.evaluation.decoded_files import NOT_INSTALLED, read_about
    from taae.evaluation.scoring.pairing import read_speakers, read_transcripts
    from taae.evaluation.scoring.score import Scoring, score_folders

    about: dict[str, Any] = {"status": "", "bitrate": bitrate}
    if codec_json:
        about = read_about(codec_json)
    given = {"run": run, "variant": variant, "seed": seed, "split": split}
    given["bitrate"] = about.get("bitrate")
    labels: dict[str, Any] = {name: value for name, value in given.items() if value or value == 0}
    scoring = Scoring(
        metrics or list(STANDARD),
        max_failed=max_failed,
        max_seconds=max_seconds,
        max_trim=max_trim,
        mosnet_weights=mosnet_weights,
        speaker=Speaker(ge2e_weights, wavlm_weights),
        asr=ASR(str(asr_model or ""), asr_language, max_reference_wer),
        workers=jobs,
    )
    score_folders(
        reference,
        decoded,
        output,
        scoring,
        labels=labels,
        speakers=read_speakers(manifest) if manifest else None,
        cache=cache,
        absent=about["message"] if about["status"] == NOT_INSTALLED else "",
        heard=heard,
        transcripts=read_transcripts(manifest) if manifest else None,
    )


@command()
def score_model(
    *,
    variant: str,
    seed: Whole,
    reference: Path,
    decoded: Path,
    output: Path,
    manifest: Path,
    caches: Path,
    study: Study = DEMO,
    mosnet_weights: Path | None = None,
    heard: Path | None = None,
    jobs: Jobs = 1,
) -> None:
    """Score a model of the study at each of its operating points.

    Args:
        reference: folder of reference audio.
        decoded: folder with POINT/audio.
        output: folder for POINT.csv, one row per utterance and metric.
        manifest: CSV with the columns utterance and speaker.
        caches: folder of files that keep values for the next call.
        mosnet_weights: cnn_blstm.h5; without it mosnet is left out.
        heard: CSV of `taae hear`, for wer, cer and dwer.
    """
    from taae.evaluation.scoring.pairing import read_speakers, read_transcripts
    from taae.evaluation.scoring.score import Scoring, score_folders

    resolved = load_study(study)
    settings = resolved.metrics
    speakers, transcripts = read_speakers(manifest), read_transcripts(manifest)
    for point in resolved.points(variant):
        scoring = Scoring(
            resolved.metrics_at(point),
            max_failed=settings.max_failed,
            max_seconds=settings.max_seconds,
            mosnet_weights=mosnet_weights,
            speaker=settings.speaker,
            asr=settings.asr,
            workers=jobs,
        )
        score_folders(
            reference,
            decoded / point / "audio",
            output / f"{point}.csv",
            scoring,
            labels=resolved.run_labels(variant, seed, point),
            speakers=speakers,
            cache=caches / f"{variant}-seed{seed}-{point}.json",
            heard=heard,
            transcripts=transcripts,
        )
