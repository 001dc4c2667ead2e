"""The study itself: check, download, plan, config; its corpus: corpus, shards,
corpus-shard, merge-corpora, reference."""

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
from taae.study.checks import check_computable
from taae.study.load import DEMO, load_study
from taae.study.tests import at_key
from taae.utils.errors import TaaeError


@command(STUDY)
def check(*, study: Study = DEMO) -> None:
    """Resolve a study, check that its metrics can be computed here, and list its variants."""
    resolved = load_study(study)
    check_computable(resolved)
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
def prepare_corpus(
    *,
    output: Path,
    study: Study = DEMO,
    test: str | None = None,
    source: Path | None = None,
    shards: Path | None = None,
    jobs: Jobs = 1,
) -> None:
    """Prepare the corpus, or one of the other test sets: 16 kHz, mono, one loudness.

    Args:
        output: folder of the corpus.
        shards: index that `taae shards` wrote; its shards lie in `output` already, and are joined.
        test: name of a test set of the study.
        source: folder of the corpus whose test split a test set of kind altered alters.
    """
    from taae.corpus.alter_corpus import alter_corpus
    from taae.corpus.prepare import prepare
    from taae.corpus.shards import join

    if shards:
        join(shards, output)
        return
    resolved = load_study(study)
    if test is None:
        prepare(resolved.corpus, output, jobs)
        return
    if test not in resolved.tests:
        known = ", ".join(resolved.tests) or "none"
        raise TaaeError(f"no test set '{test}'; the study has {known} (tests:)")
    settings = resolved.tests[test].chosen()
    with at_key(test):
        if settings["kind"] != "altered":
            prepare(settings, output, jobs)
        elif source:
            alter_corpus(source, test, settings, output)
        else:
            raise TaaeError(f"corpus: test set '{test}' is an altered one; give --source")


@command()
def shards(*, output: Path, index: Path, study: Study = DEMO) -> None:
    """List the speech of the corpus, and cut it into shards of corpus.shard_hours.

    Args:
        output: folder for the shards, each as what there is to prepare.
        index: JSON file for their names, in the order of the corpus.
    """
    from taae.corpus.shards import write_shards

    resolved = load_study(study)
    write_shards(resolved.corpus, resolved.shard_hours, output, index)


@command()
def corpus_shard(shard: Path, /, *, output: Path, jobs: Jobs = 1) -> None:
    """Prepare a shard of the corpus.

    Args:
        shard: file of `taae shards`.
        output: its folder.
    """
    from taae.corpus.shards import prepare_shard

    prepare_shard(shard, output, jobs)


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
