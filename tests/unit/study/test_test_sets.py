"""Test sets in the config: mistakes name their key, and nothing else of a study changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taae.study.load import resolve
from taae.study.overlay import read_yaml
from taae.study.study import Study
from taae.utils.errors import TaaeError

ROOT = Path(__file__).parents[3]
NOISY = {"noise_db": 20}


def study(**tests: Any) -> Study:
    return resolve(read_yaml(ROOT / "config.yaml") | {"tests": tests})


def altered(**how: Any) -> dict[str, Any]:
    return {"kind": "altered", "altered": how}


def librispeech(**settings: Any) -> dict[str, Any]:
    return {"kind": "librispeech", "librispeech": {"download": True, **settings}}


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ({"main": altered(**NOISY)}, "tests.main: the name stands for the corpus's own test split"),
        ({"noise": {}}, "tests.noise.kind: must be given"),
        ({"Noise": altered(**NOISY)}, "tests.Noise: "),
        ({"noise": {"kind": "altered"}}, "tests.noise.altered: changes nothing; give gain_db,"),
        ({"a": altered(noise="pink")}, "tests.a.altered: noise: pink has no level; give noise_db"),
        ({"a": altered(noise_db=20, noize="pink")}, "unknown key 'noize'; did you mean 'noise'"),
        (
            {"a": altered(of="b", **NOISY)},
            "tests.a.altered.of: no test set 'b'; there are main",
        ),
        (
            {"a": altered(of="b", **NOISY), "b": altered(of="c", **NOISY), "d": altered(**NOISY)},
            "tests.b.altered.of: no test set 'c'; there are main, a, d",
        ),
        (
            {"a": altered(of="b", **NOISY), "b": altered(of="a", **NOISY)},
            "tests.a.altered.of: goes in a circle: a of b of a",
        ),
        ({"a": altered(of="a", **NOISY)}, "tests.a.altered.of: goes in a circle: a of a"),
        (
            {"a": altered(of="b", **NOISY), "b": altered(of="b", **NOISY)},
            "tests.a.altered.of: goes in a circle: a of b of b",
        ),
        ({"l": librispeech()}, "tests.l.librispeech.path is empty"),
        (
            {"l": librispeech(path="data", test=["test-cleen"])},
            "tests.l.librispeech: no subset 'test-cleen' is published",
        ),
        (
            {"k": librispeech(path="one"), "l": librispeech(path="two", test=["test-other"])},
            "tests.l.librispeech: all subsets are fetched from one url into one path",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_key(tests: dict[str, Any], message: str) -> None:
    with pytest.raises(TaaeError) as caught:
        study(**tests)
    assert message in str(caught.value)
    assert str(caught.value).startswith("config: tests.")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_speech_that_training_hears_is_no_test_set(split: str) -> None:
    corpus = librispeech(path="data", **{split: ["dev-other"]})
    tests = {"x": librispeech(path="data", test=["test-other", "dev-other"])}
    with pytest.raises(TaaeError, match=rf"tests.x.librispeech.test: dev-other .*\.{split}\)$"):
        resolve({"corpus": corpus, "tests": tests})
    tests["x"]["librispeech"]["test"] = ["test-clean"]  # as the corpus's own
    assert resolve({"corpus": corpus, "tests": tests}).warnings == []


@pytest.mark.parametrize("kind", ["webdataset", "huggingface"])
def test_a_listed_test_set_is_no_part_of_the_training(kind: str) -> None:
    corpus = {"kind": kind, kind: {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}}
    tests = {"x": {"kind": kind, kind: {"test": ["e", "c"]}}}
    with pytest.raises(TaaeError, match=rf"tests.x.{kind}.test: c serves the validation already"):
        resolve({"corpus": corpus, "tests": tests})
    tests["x"][kind]["test"] = ["e", "d"]  # type: ignore[index]
    assert set(resolve({"corpus": corpus, "tests": tests}).tests) == {"x"}


def test_another_dataset_may_have_splits_of_the_same_name() -> None:
    corpus = {"kind": "huggingface", "huggingface": {"path": "user/one"}}
    tests = {"x": {"kind": "huggingface", "huggingface": {"path": "user/two", "test": ["train"]}}}
    assert set(resolve({"corpus": corpus, "tests": tests}).tests) == {"x"}


def test_the_folder_of_the_corpus_is_doubtful_as_a_test_set() -> None:
    def warnings(path: str) -> list[str]:
        corpus = {"kind": "folder", "folder": {"path": "data/mine"}}
        test = {"kind": "folder", "folder": {"path": path}}
        return resolve({"corpus": corpus, "tests": {"x": test}}).warnings

    assert warnings("data/others") == []
    for same in ("data/mine", str(Path("data/mine").absolute())):
        assert len(warnings(same)) == 1
        assert "tests.x.folder.path is the corpus's own folder" in warnings(same)[0]


def test_a_chain_is_compared_with_its_input_or_with_what_no_alteration_has_touched() -> None:
    found = study(
        own={"kind": "folder", "folder": {"path": "speech"}},
        room=altered(of="own", reverb_seconds=0.5, reference="clean"),
        noisy=altered(of="room", noise_db=10, reference="clean"),
        heard=altered(of="room", noise_db=10),
        loud=altered(gain_db=3, reference="clean"),
    )
    references = {name: found.reference_of(name) for name in ("main", *found.tests)}
    assert references == {
        "main": "main",
        "own": "own",
        "room": "own",
        "noisy": "own",
        "heard": "heard",
        "loud": "main",
    }


def test_of_librispeech_a_test_set_takes_its_test_subsets_alone() -> None:
    found = study(l=librispeech(path="data", test=["test-other"]), room=altered(reverb_seconds=0.5))
    assert found.download.subsets == ["test-other"]
    assert found.subsets == []  # of the corpus, which is synthetic
    assert found.tests["l"].chosen()["librispeech"] == {
        "path": "data",
        "test": ["test-other"],
        "test_utterances": 20,
    }


def test_the_corpus_is_the_same_with_and_without_test_sets() -> None:
    """What rule corpus depends on: adding a test set must not prepare it again, or train."""
    assert study(room=altered(reverb_seconds=0.5)).corpus == study().corpus
