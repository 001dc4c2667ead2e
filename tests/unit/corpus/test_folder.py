import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taae.corpus import folder
from taae.corpus.config import Corpus
from taae.study.overlay import read_yaml
from taae.utils.errors import TaaeError
from taae.utils.settings import validate

Config = dict[str, Any]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """20 speakers with 3 (empty) files each."""
    for speaker in range(20):
        (tmp_path / "audio" / f"p{speaker:02d}").mkdir(parents=True)
        for number in range(3):
            (tmp_path / "audio" / f"p{speaker:02d}" / f"{number}.wav").touch()
    return tmp_path / "audio"


@pytest.fixture
def config(tree: Path) -> Callable[..., Config]:
    def build(**settings: object) -> Config:
        chosen = {"path": str(tree), **settings}
        return validate(Corpus, {"kind": "folder", "folder": chosen}).chosen()

    return build


def labels(corpus: Config) -> list[tuple[str, str, str]]:
    found = [item.label for item in folder.plan(corpus).items]
    return [(label.source, label.speaker, label.split) for label in found]


def speakers(corpus: Config) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for _, speaker, split in labels(corpus):
        found[split].add(speaker)
    return found


def write_manifest(tree: Path, *lines: str) -> str:
    path = tree.parent / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_speakers_are_drawn_for_the_splits(config: Callable[..., Config]) -> None:
    found = speakers(config())
    assert {split: len(names) for split, names in found.items()} == {
        "train": 4,
        "validation": 4,
        "test": 12,
    }
    assert len(set.union(*found.values())) == 20
    assert found == speakers(config())
    assert found != speakers(config() | {"seed": 2})
    assert [source for source, _, _ in labels(config())] == [
        f"p{speaker:02d}/{number}.wav" for speaker in range(20) for number in range(3)
    ]


def test_test_speakers_have_at_most_so_many_utterances(config: Callable[..., Config]) -> None:
    found = labels(config(test_utterances=2, test_speakers=5))
    assert sum(split == "test" for _, _, split in found) == 10
    assert sum(split != "test" for _, _, split in found) == 45


def test_speaker_by_regular_expression(config: Callable[..., Config]) -> None:
    found = speakers(config(speaker=r"/(\d)\.", validation_speakers=1, test_speakers=1))
    assert sorted(map(len, found.values())) == [1, 1, 1]
    assert set.union(*found.values()) == {"0", "1", "2"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": ""}, "set corpus.folder.path to the folder"),
        ({"path": "/no/such/folder"}, "corpus.folder.path: /no/such/folder: no such folder"),
        ({"speaker": "("}, "no regular expression"),
        ({"speaker": "p.."}, "has 0 groups"),
        ({"speaker": "(p)(.)"}, "has 2 groups"),
        ({"speaker": "(p19)"}, "finds no speaker in 57 of 60 paths, first in p00/0.wav"),
        ({"speaker": "(x?)"}, "finds no speaker in 60 of 60"),
        ({"test_speakers": 16}, r"20 speakers .* too few for 4 validation, 16 test"),
        ({"speaker": "(.wav)"}, r"1 speaker \(.wav\).*lower corpus.folder.validation_speakers"),
        ({"manifest": "/no/such.csv"}, "/no/such.csv: not a readable CSV"),
    ],
)
def test_settings_that_cannot_be(
    config: Callable[..., Config], settings: Config, message: str
) -> None:
    with pytest.raises(TaaeError, match=message):
        folder.plan(config(**settings))


def test_a_folder_without_audio(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(TaaeError, match=r"no audio files \(.wav, .flac, .ogg, .mp3\)"):
        folder.plan(config(path=str(tmp_path / "none")))


def test_files_right_in_the_folder_belong_to_one_speaker(
    config: Callable[..., Config], tree: Path
) -> None:
    with pytest.raises(TaaeError, match=r"1 speaker \(p00\)"):
        folder.plan(config(path=str(tree / "p00")))


def test_a_manifest_names_speakers(config: Callable[..., Config], tree: Path) -> None:
    rows = [f"p{speaker:02d}/0.wav,speaker {speaker % 3},x" for speaker in range(20)]
    manifest = write_manifest(tree, "path,speaker,more", *rows)
    found = speakers(config(manifest=manifest, validation_speakers=1, test_speakers=1))
    assert set.union(*found.values()) == {"speaker 0", "speaker 1", "speaker 2"}
    assert len(labels(config(manifest=manifest, validation_speakers=1, test_speakers=1))) == 20


def test_a_manifest_that_comes_with_the_project_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    studies = Path(__file__).parents[3] / "workflow" / "studies"
    corpus = read_yaml(studies / "librispeech-hour.yaml")["corpus"]
    with (studies / "librispeech-hour.csv").open() as file:
        for row in csv.DictReader(file):
            path = tmp_path / corpus["folder"]["path"] / row["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    chosen = validate(Corpus, corpus).chosen()
    found = speakers(chosen)
    assert len(found["test"]) == 20
    # Where the project lies is no part of a corpus.
    assert chosen["folder"]["manifest"] == "{workflow}/studies/librispeech-hour.csv"


def test_a_manifest_may_say_what_is_said(config: Callable[..., Config], tree: Path) -> None:
    rows = ["p00/0.wav,A,train,", 'p01/0.wav,A,test,"One, two"', "p02/0.wav,A,validation"]
    manifest = write_manifest(tree, "path,speaker,split,text", *rows)
    entries = folder.read_manifest(Path(manifest), tree)
    assert [entry.text for entry in entries] == ["", "One, two", ""]


def test_a_manifest_with_splits_may_share_a_speaker(
    config: Callable[..., Config], tree: Path
) -> None:
    manifest = write_manifest(
        tree,
        "\ufeffspeaker,split,path",
        "LJ,train,p05/1.wav",
        "LJ,validation,p00/0.wav",
        f"LJ,test,{tree}/p01/0.wav",
    )
    assert labels(config(manifest=manifest)) == [
        (f"{tree}/p01/0.wav", "LJ", "test"),
        ("p00/0.wav", "LJ", "validation"),
        ("p05/1.wav", "LJ", "train"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,voice", "p00/0.wav,a"], "needs the columns path and speaker; has path, voice"),
        (["path,speaker"], "lists no files"),
        ([""], "needs the columns"),
        (["path,speaker", "p00/0.wav,a", "p00/9.wav,a"], r"line 3: .*p00/9.wav: no such file"),
        (["path,speaker", "p00,a"], r"line 2: .*no such file"),
        (["path,speaker", "p00/0.wav,a", "p00/0.wav,b"], "line 3: p00/0.wav is listed twice"),
        (["path,speaker", "p00/0.wav,"], "line 2: path or speaker is empty"),
        (["path,speaker", "p00/0.wav"], "line 2: path or speaker is empty"),
        (["path,speaker,split", "p00/0.wav,a,dev"], "line 2: split 'dev' is none of train"),
        (["path,speaker,split", "p00/0.wav,a,"], "line 2: split '' is none of"),
        (["path,speaker,split", "p00/0.wav,a"], "line 2: split 'None' is none of"),
    ],
)
def test_manifests_that_cannot_be(
    config: Callable[..., Config], tree: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(TaaeError, match=message):
        folder.plan(config(manifest=write_manifest(tree, *lines)))


def test_a_manifest_in_another_encoding(config: Callable[..., Config], tree: Path) -> None:
    path = tree.parent / "manifest.csv"
    path.write_bytes("path,speaker\np00/0.wav,Zoë\n".encode("utf-16"))
    with pytest.raises(TaaeError, match="not a readable CSV"):
        folder.plan(config(manifest=str(path)))
