"""Every study that comes with the project resolves, and Snakemake can plan its jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from taae.codec.codec import Codec
from taae.corpus.config import ARCHIVES
from taae.study.load import load_study
from taae.study.study import Study
from taae.utils.files import write_json
from tests.workflow.conftest import ROOT, Clone

OVERLAYS = sorted(path.name for path in (ROOT / "workflow" / "studies").glob("*.yaml"))


def resolve(overlay: str) -> Study:
    return load_study([ROOT / "config.yaml", ROOT / "workflow" / "studies" / overlay])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("overlays") / "clone")


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_dry_run_plans_every_training(fresh: Clone, overlay: str) -> None:
    study = resolve(overlay)
    jobs = fresh.jobs(study=f"workflow/studies/{overlay}")
    assert jobs["train"] == len(study.variants) * len(study.seeds)
    assert jobs["corpus"] == 1
    assert jobs["download"] == len(study.download.subsets)
    assert not Path(fresh.folder / "results" / "corpus").exists()


@pytest.mark.parametrize(
    ("names", "begun"),
    [
        (["from-scratch"], ""),
        (["second-trunk"], "symmetric"),
        (["second-trunk", "original-trunk"], "original"),
    ],
)
def test_the_studies_beside_the_published_one(names: list[str], begun: str) -> None:
    """Laid over it, they ask the same contrasts of the same speech from another beginning."""
    folder = ROOT / "workflow" / "studies"
    published = [ROOT / "config.yaml", folder / "published.yaml"]
    beside = load_study([*published, *(folder / f"published-{name}.yaml" for name in names)])
    main = load_study(published)
    assert (beside.trunk.bottleneck.rounding if beside.trunk else "") == begun
    assert beside.trunk is None or not beside.trunk.pretrained
    assert beside.corpus == main.corpus and set(beside.tests) == set(main.tests)
    for arm in ("levels", "levels-no-symmetric", "levels-no-hybrid"):
        assert beside.variants[arm].bottleneck == main.variants[arm].bottleneck


@pytest.mark.slow
def test_a_metric_that_cannot_be_computed_stops_before_the_first_job(fresh: Clone) -> None:
    names = [*load_study([ROOT / "config.yaml"]).metrics.names, "speaker_ge2e"]
    metrics = {"names": names, "speaker": {"ge2e_weights": "nowhere.pt"}}
    write_json({"metrics": metrics}, fresh.folder / "ge2e.json")
    done = fresh.snakemake("all", study="ge2e.json", check=False)
    assert done.returncode == 1
    assert "metrics.names: speaker_ge2e: no file nowhere.pt" in done.stdout + done.stderr
    assert not Path(fresh.folder / "results" / "corpus").exists()
    assert fresh.jobs(study="ge2e.json")["train"] > 0  # to plan it needs no package


@pytest.mark.slow
def test_a_subset_that_is_there_is_not_downloaded_again(fresh: Clone) -> None:
    subset = fresh.folder / "data" / "LibriSpeech" / "dev-clean"
    subset.mkdir(parents=True)
    receipt = {"subset": "dev-clean", "md5": ARCHIVES["dev-clean"].md5, "files": 2703}
    write_json(receipt, subset / ".download.json")
    overlay = "workflow/studies/librispeech.yaml"
    fresh.snakemake("results/download/dev-clean.json", study=overlay)
    found = fresh.folder / "results" / "download" / "dev-clean.json"
    assert json.loads(found.read_text()) == receipt
    assert fresh.jobs(study=overlay)["download"] == 2


def test_librispeech_downloads_what_it_uses() -> None:
    download = resolve("librispeech.yaml").download
    assert download.subsets == ["train-clean-100", "dev-clean", "test-clean"]
    assert download.path == "data/LibriSpeech"


def test_where_files_come_from_is_no_part_of_the_corpus() -> None:
    """Else another mirror would prepare and train anew."""
    assert not {"download", "url"} & set(resolve("librispeech.yaml").corpus["librispeech"])


def test_the_scale_of_the_paper() -> None:
    """About 950M parameters at 25 latents/s, each of 6 dimensions of 17 levels."""
    variant = resolve("paper.yaml").variants["baseline"]
    with torch.device("meta"):
        codec = Codec(variant.codec)
    assert 0.94e9 < sum(parameter.numel() for parameter in codec.parameters()) < 0.96e9
    assert variant.bitrate() == pytest.approx(25 * 6 * 4.08746, rel=1e-4)
