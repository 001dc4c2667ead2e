"""The study itself: check, download, plan, config; its corpus: corpus,
merge-corpora, reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from taae.cli.shared import (
    STUDY,
    Jobs,
    Study,
    among,
    app,
    command,
)
from taae.codec.layer_geometry import parameter_count
from taae.corpus.config import ARCHIVES
from taae.study.load import DEMO, load_study
from taae.utils.errors import TaaeError


@command(STUDY)
def check(*, study: Study = DEMO) -> None:
    """Resolve a study and list its variants."""
    resolved = load_study(study)
    for warning in resolved.warnings:
        print(f"warning: {warning}")
    for note in resolved.notes:
        print(f"note: {note}")
    for name, variant in resolved.variants.items():
        size = parameter_count(variant.codec) / 1e6
        conv = variant.model.kind == "conv"
        what = "convolutional" if conv else f"window {variant.attention.window}"
        print(
            f"{name}: {variant.bitrate():.0f} bit/s, {what}, {size:.1f}M parameters"
            f"{', causal' if variant.attention.causal else ''}"
            f"{', pretrained' if variant.pretrained else ''}"
        )


@command(STUDY)
def download(
    *,
    output: Path,
    study: Study = DEMO,
    subset: Annotated[list[str] | None, among(ARCHIVES)] = None,
) -> None:
    """Bring subsets of LibriSpeech to the study's folder.

    Args:
        output: folder for SUBSET.json, what was brought.
        subset: names; by itself all subsets of the study.
    """
    from taae.corpus.download import download
    from taae.utils.files import write_json

    wanted = load_study(study).download
    if not wanted.subsets:
        raise TaaeError("config: the study downloads nothing: see corpus.librispeech.download")
    for name in subset or wanted.subsets:
        receipt = download(name, wanted.url, Path(wanted.path))
        write_json(receipt, output / f"{name}.json")


app.command(
    "taae.benchmark.plan:plan",
    name="plan",
    group=STUDY,
    help="Predict time, memory and disk of a study, by arm.",
)


@command(name="corpus")
def prepare_corpus(*, output: Path, study: Study = DEMO, jobs: Jobs = 1) -> None:
    """Prepare the corpus: 16 kHz, mono, one loudness.

    Args:
        output: folder of the corpus.
    """
    from taae.corpus.prepare import prepare

    prepare(load_study(study).corpus, output, jobs)


@command()
def merge_corpora(corpora: list[Path], /, *, output: Path) -> None:
    """Make one corpus of several prepared ones, split by split.

    Args:
        corpora: their folders.
        output: folder of the corpus.
    """
    from taae.corpus.merge import merge

    merge(corpora, output)


app.command("taae.evaluation.decoded_files:write_reference", name="reference", show=False)


@command()
def config() -> None:
    """Write what is generated from the settings: docs/configuration.md and the JSON schema."""
    from taae.study.describe import generated

    for path, text in generated(Path()).items():
        path.write_text(text, encoding="utf-8")
