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
        manifest: CSV with the columns utterance and speaker.
        run: of every row; by itself the name of DECODED.
        variant: of every row; by itself the name of DECODED.
        split: of every row.
        seed: of every row.
        bitrate: of every row, bit/s.
        codec_json: codec.json of another codec: its bitrate, or that it is not installed.
        mosnet_weights: cnn_blstm.h5; without it mosnet is left out.
        ge2e_weights: pretrained.pt of Resemblyzer, where the package is not installed.
        wavlm_weights: folder or hub repository of WavLM for speaker verification.
        cache: file that keeps values for the next call.
    """
    from taae.evaluation.config import Speaker
    from taae.evaluation.decoded_files import NOT_INSTALLED, read_about
    from taae.evaluation.scoring.pairing import read_speakers
    from taae.evaluation.scoring.score import score_folders

    about: dict[str, Any] = {"status": "", "bitrate": bitrate}
    if codec_json:
        about = read_about(codec_json)
    given = {"run": run, "variant": variant, "seed": seed, "split": split}
    given["bitrate"] = about.get("bitrate")
    labels: dict[str, Any] = {name: value for name, value in given.items() if value or value == 0}
    score_folders(
        reference,
        decoded,
        output,
        names=metrics or list(STANDARD),
        speakers=read_speakers(manifest) if manifest else None,
        labels=labels,
        max_failed=max_failed,
        max_seconds=max_seconds,
        max_trim=max_trim,
        mosnet_weights=mosnet_weights,
        cache=cache,
        absent=about["message"] if about["status"] == NOT_INSTALLED else "",
        speaker_weights=Speaker(ge2e_weights, wavlm_weights),
        workers=jobs,
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
    """
    from taae.evaluation.scoring.pairing import read_speakers
    from taae.evaluation.scoring.score import score_folders

    resolved = load_study(study)
    settings, speakers = resolved.variant(variant), read_speakers(manifest)
    for point in resolved.points(variant):
        score_folders(
            reference,
            decoded / point / "audio",
            output / f"{point}.csv",
            names=resolved.metrics_at(point),
            speakers=speakers,
            labels={
                "run": f"{variant}/seed{seed}",
                "variant": variant,
                "seed": seed,
                "bitrate": settings.bitrate(point),
                "split": "test",
            },
            max_failed=resolved.metrics.max_failed,
            max_seconds=resolved.metrics.max_seconds,
            mosnet_weights=mosnet_weights,
            speaker_weights=resolved.metrics.speaker,
            cache=caches / f"{variant}-seed{seed}-{point}.json",
            workers=jobs,
        )
