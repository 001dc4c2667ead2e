"""Models, corpora and tables that are damaged, or not what they are taken for."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taae import cli
from tests.faults.conftest import Forker, Study
from tests.faults.test_kills import Evil
from tests.unit.evaluation.speechlike import RATE, speech

WEIGHTS = "model/model.safetensors"


@dataclass
class Place:
    """Copies to damage of a model, its corpus, its entropy models and what it decoded."""

    folder: Path
    study: Path

    @property
    def marker(self) -> Path:
        """Appears where code in a file was run."""
        return self.folder / "ran"

    def path(self, name: str) -> Path:
        return self.folder / name

    def cut(self, name: str) -> None:
        content = self.path(name).read_bytes()
        self.path(name).write_bytes(content[: len(content) // 2])

    def write_pickle(self, name: str) -> None:
        self.path(name).write_bytes(pickle.dumps(Evil(self.marker)))

    def write_npz(self, name: str, keys: list[str]) -> None:
        """Write an .npz whose arrays hold code."""
        np.savez(self.path(name), **{key: np.array([Evil(self.marker)], object) for key in keys})

    def command(self, stage: str) -> list[str]:
        """Return the arguments of a stage that writes to `out`."""
        corpus, model = ["--corpus", self.path("corpus")], ["--model", self.path("model")]
        study, out = ["--study", self.study], ["--output", self.path("out")]
        run = ["--variant", "baseline", "--seed", "1"]
        decoded, results = self.path("decoded"), ["--results", self.folder]
        words: dict[str, list[str | Path]] = {
            "decode": [*corpus, *model, *study, "--points", "native", *out],
            "train": [*corpus, *study, *run, *out, "--state", self.path("state")],
            "precision": [*corpus, *model, *out],
            "rates": [
                "--decoded",
                decoded,
                *model,
                "--entropy-models",
                self.path("entropy-models"),
                *out,
            ],
            "encode": [self.path("a.wav"), self.path("out"), *model],
            "training": ["table", "training", *study, *results],
            "provenance": ["table", "provenance", *study, *results],
            "plot": ["plot", "spectrograms", *study, *results],
        }
        named = [] if words[stage][0] in ("table", "plot") else [stage]
        return [*named, *map(str, words[stage])]


@pytest.fixture(scope="module")
def intact(
    study: Study, trained: Path, forker: Forker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("intact")
    shutil.copytree(trained, folder / "model")
    shutil.copytree(trained, folder / "models" / "baseline" / "seed1")
    shutil.copytree(study.corpus, folder / "corpus")
    (folder / "tables").mkdir()
    soundfile.write(folder / "a.wav", speech(1.0), RATE)
    place = Place(folder, study.config)
    tokens = ["entropy-models", "--model", str(trained), "--corpus", str(study.corpus)]
    decode = place.command("decode")
    for words in (
        [*tokens, "--output", str(folder / "entropy-models")],
        [*decode[: decode.index("--output")], "--output", str(folder / "decoded")],
    ):
        assert forker.run(words) == 0, forker.log.read_text()
    return folder


@pytest.fixture
def place(intact: Path, study: Study, tmp_path: Path) -> Place:
    shutil.copytree(intact, tmp_path / "place")
    return Place(tmp_path / "place", study.config)


def widen(place: Place) -> None:
    """Give the config of a wider codec to the weights."""
    path = place.path("model/config.json")
    config = json.loads(path.read_text())
    config["model"]["width"] = 32
    path.write_text(json.dumps(config))


def name_another_tensor(place: Place) -> None:
    content = place.path(WEIGHTS).read_bytes()
    place.path(WEIGHTS).write_bytes(content.replace(b"encoder.project_out", b"encoder.project_xxx"))


def promise_a_huge_header(place: Place) -> None:
    content = place.path(WEIGHTS).read_bytes()
    place.path(WEIGHTS).write_bytes(struct.pack("<Q", 2**60) + content[8:])


def replace_corpus(name: str) -> Callable[[Place], None]:
    """Put a file of another corpus in the place of this one's."""

    def change(place: Place) -> None:
        path = place.path("corpus") / name
        if name.endswith(".npy"):
            np.save(path, np.zeros(1000, np.int16))
        elif name.endswith(".csv"):
            path.write_text(path.read_text().replace("test", "other"))
        else:
            summary = json.loads(path.read_text())
            for split in summary["splits"].values():
                split["sha256"] = "0" * 64
            path.write_text(json.dumps(summary))

    return change


def loop_of_links(place: Place) -> None:
    shutil.rmtree(place.path("model"))
    place.path("model").symlink_to(place.path("model"))


def drop_identity(place: Place) -> None:
    path = place.path("corpus/corpus.json")
    summary = json.loads(path.read_text())
    del summary["sha256"]
    path.write_text(json.dumps(summary))


CASES: dict[str, tuple[str, Callable[[Place], object], str]] = {
    "weights that are a pickle": (
        "decode",
        lambda place: place.write_pickle(WEIGHTS),
        "model.safetensors: not the weights of this codec",
    ),
    "weights cut in the middle": (
        "decode",
        lambda place: place.cut(WEIGHTS),
        "model.safetensors: not the weights of this codec",
    ),
    "empty weights": (
        "precision",
        lambda place: place.path(WEIGHTS).write_bytes(b""),
        "model.safetensors: not the weights of this codec",
    ),
    "weights with a header of 2^60 bytes": (
        "decode",
        promise_a_huge_header,
        "model.safetensors: not the weights of this codec",
    ),
    "weights of a narrower codec": (
        "encode",
        widen,
        "size mismatch for encoder.project_in.conv.bias: copying a param with shape torch.Size(",
    ),
    "weights with a tensor too many and one too few": (
        "decode",
        name_another_tensor,
        'Missing key(s) in state_dict: "encoder.project_out.conv.bias"',
    ),
    "a model config that is none": (
        "decode",
        lambda place: place.path("model/config.json").write_text('{"model": 1}'),
        "config.json: not the config of a codec",
    ),
    "a model config cut in the middle": (
        "decode",
        lambda place: place.cut("model/config.json"),
        "config.json: not the config of a codec",
    ),
    "a model folder that is a loop of links": ("decode", loop_of_links, "symbolic links"),
    "audio of a corpus cut in the middle, in training": (
        "train",
        lambda place: place.cut("corpus/train.npy"),
        "corpus/train.npy: not readable",
    ),
    "audio of a corpus cut in the middle, in decoding": (
        "decode",
        lambda place: place.cut("corpus/test.npy"),
        "corpus/test.npy: not readable",
    ),
    "audio of a corpus that is a pickle": (
        "decode",
        lambda place: place.write_pickle("corpus/test.npy"),
        "corpus/test.npy: not readable",
    ),
    "audio of a corpus that holds objects": (
        "train",
        lambda place: np.save(
            place.path("corpus/train.npy"), np.array([Evil(place.marker)], object)
        ),
        "corpus/train.npy: not readable",
    ),
    "audio of another corpus": (
        "train",
        replace_corpus("validation.npy"),
        "corpus.json describes 128000 int16 samples; rerun rule corpus",
    ),
    "a manifest of another corpus": (
        "decode",
        replace_corpus("test.csv"),
        "not the manifest that corpus.json describes; rerun rule corpus",
    ),
    "corpus.json of another corpus": (
        "decode",
        replace_corpus("corpus.json"),
        "not the manifest that corpus.json describes; rerun rule corpus",
    ),
    "corpus.json cut in the middle": (
        "decode",
        lambda place: place.cut("corpus/corpus.json"),
        "rerun rule corpus",
    ),
    "corpus.json without the hash of the corpus": (
        "train",
        drop_identity,
        "corpus.json: not readable (KeyError('sha256')); rerun rule corpus",
    ),
    "entropy models with code in them": (
        "rates",
        lambda place: place.write_npz(
            "entropy-models/native/order1.npz", ["levels", "frequencies"]
        ),
        "order1.npz: not an entropy model",
    ),
    "codes with code in them": (
        "rates",
        lambda place: place.write_npz("decoded/native/codes.npz", ["test"]),
        "codes.npz",
    ),
    "spectrograms with code in them": (
        "plot",
        lambda place: place.write_npz("tables/spectra.npz", ["labels", "levels", "hop"]),
        "spectra.npz: not a table of spectrograms",
    ),
    "a history that is no table": (
        "training",
        lambda place: place.write_pickle("models/baseline/seed1/history.csv"),
        "history.csv: not a readable CSV",
    ),
    "provenance that is none": (
        "provenance",
        lambda place: place.path("models/baseline/seed1/provenance.json").write_text("[]"),
        "provenance.json: not the provenance of a model",
    ),
}


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES)
def test_what_is_damaged_is_refused(
    case: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, damage, words = CASES[case]
    damage(place)
    before = files(place.folder)
    assert cli.main(place.command(stage)) == 1
    (line,) = [
        line for line in capsys.readouterr().err.splitlines() if not line.startswith("sliding")
    ]
    assert line.startswith("error: ")
    assert words in line
    assert len(line) < 400 + len(str(place.folder))
    assert not place.marker.exists()
    assert files(place.folder) == before


@pytest.mark.parametrize("stage", sorted({stage for stage, *_ in CASES.values()} - {"plot"}))
def test_the_same_command_works_on_what_is_intact(stage: str, place: Place) -> None:
    """Or the tests above would show nothing."""
    assert cli.main(place.command(stage)) == 0
    assert place.path("out").exists() or place.path(f"tables/{stage}.csv").exists()


def test_the_pickles_would_run_code(place: Place) -> None:
    place.write_pickle("x")
    pickle.loads(place.path("x").read_bytes())
    assert place.marker.exists()
