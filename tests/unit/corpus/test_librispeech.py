from pathlib import Path
from typing import Any

import pytest

from taae.corpus import librispeech
from taae.corpus.config import Corpus
from taae.corpus.utterance import Label
from taae.utils.errors import TaaeError
from taae.utils.settings import validate

SPEAKERS = {"train-clean-100": ["19", "26"], "dev-clean": ["84"], "test-clean": ["61", "121"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three subsets with two chapters of three (empty) utterances per speaker."""
    for subset, speakers in SPEAKERS.items():
        for speaker in speakers:
            for chapter in ("100", "200"):
                folder = tmp_path / subset / speaker / chapter
                folder.mkdir(parents=True)
                names = [f"{speaker}-{chapter}-{number:04d}" for number in range(3)]
                for name in names:
                    (folder / f"{name}.flac").touch()
                lines = [f"{name} THE WORDS OF {name}\n" for name in names[:2]]
                (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines))
    return tmp_path


def config(tree: Path | str, **settings: object) -> dict[str, Any]:
    chosen = {"path": str(tree), **settings}
    return validate(Corpus, {"kind": "librispeech", "librispeech": chosen}).chosen()


def labels(corpus: dict[str, Any]) -> list[Label]:
    return [item.label for item in librispeech.plan(corpus).items]


def test_subsets_become_splits(tree: Path) -> None:
    found = labels(config(tree))
    assert len(found) == 30
    assert {(label.speaker, label.split) for label in found} == {
        ("19", "train"),
        ("26", "train"),
        ("84", "validation"),
        ("61", "test"),
        ("121", "test"),
    }
    first = found[0]
    assert first.source == "dev-clean/84/100/84-100-0000.flac"
    assert first.utterance == "84-100-0000"
    assert first.text == "THE WORDS OF 84-100-0000"
    assert found[2].text == ""


def test_several_subsets_of_a_split(tree: Path) -> None:
    (tree / "dev-other/7/8").mkdir(parents=True)
    (tree / "dev-other/7/8/7-8-0000.flac").touch()
    found = labels(config(tree, validation=["dev-clean", "dev-other"]))
    assert sum(label.split == "validation" for label in found) == 7


def test_limit_of_test_utterances(tree: Path) -> None:
    found = labels(config(tree, test_utterances=4))
    assert sum(label.split == "test" for label in found) == 8
    assert sum(label.split == "train" for label in found) == 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": ""}, "set corpus.librispeech.path to the folder"),
        ({"path": "/no/such"}, "corpus.librispeech.path: /no/such: no such folder"),
        (
            {"test": ["test-other"]},
            "has no folder test-other; it has dev-clean, test-clean, train-clean-100",
        ),
        ({"test": ["dev-clean"]}, "dev-clean serves validation and test"),
    ],
)
def test_settings_that_cannot_be(tree: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TaaeError, match=message):
        librispeech.plan(config(tree, **settings))


def test_a_subset_of_another_layout(tree: Path) -> None:
    (tree / "test-other/1").mkdir(parents=True)
    with pytest.raises(TaaeError, match=r"test-other: no .flac files"):
        librispeech.plan(config(tree, test=["test-other"]))
    (tree / "test-other/1/x.flac").touch()
    with pytest.raises(TaaeError, match="LibriSpeech is SUBSET/SPEAKER/CHAPTER"):
        librispeech.plan(config(tree, test=["test-other"]))
