"""Datasets that `datasets` wrote, here and on a hub of this machine, against the same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from taae.corpus.config import Corpus
from taae.corpus.huggingface import HUGGINGFACE
from taae.corpus.prepare import prepare
from taae.corpus.store import identity_of
from taae.corpus.utterance import SPLITS
from taae.utils.errors import TaaeError
from taae.utils.settings import validate
from tests.unit.codec.fake_hub import COMMIT, Hub, hub
from tests.unit.corpus.corpora import prepare_in_shards
from tests.unit.corpus.test_webdataset import (
    SPEAKERS,
    contents,
    folder_of,
    listed,
    members,
    rows,
)

datasets = pytest.importorskip("datasets", reason="needs the extra datasets")
SPLIT_OF = dict(zip(SPEAKERS, ("train", "train", "validation", "test"), strict=True))


def dataset(*speakers: str) -> Any:
    """A dataset of 4 utterances of each speaker, as the hub has them."""
    files = [(speaker, *file) for speaker in speakers for file in members(speaker)[::2]]
    table = {
        "audio": [{"bytes": content, "path": name} for _, name, content in files],
        "speaker_id": [speaker for speaker, *_ in files],
        "number": [SPEAKERS.index(speaker) for speaker, *_ in files],
        "text": [f"{speaker} says {name}" for speaker, name, _ in files],
    }
    return datasets.Dataset.from_dict(table).cast_column("audio", datasets.Audio(decode=False))


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a repository of the hub: the training in two files."""
    folder = tmp_path_factory.mktemp("parquet") / "speech"
    (folder / "clean").mkdir(parents=True)
    lines = ["---", "configs:", "- config_name: clean", "  data_files:"]
    for split in SPLITS:
        speakers = [name for name in SPEAKERS if SPLIT_OF[name] == split]
        for number, speaker in enumerate(speakers):
            name = f"{split}-{number:05}-of-{len(speakers):05}.parquet"
            dataset(speaker).to_parquet(folder / "clean" / name)
        lines += [f"  - split: {split}", f"    path: clean/{split}-*"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    return folder


@pytest.fixture(scope="module")
def from_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of the same audio as files."""
    place = tmp_path_factory.mktemp("folder")
    manifest = place / "list.csv"
    lines = [
        f"{name},{speaker},{SPLIT_OF[speaker]}"
        for speaker in SPEAKERS
        for name, _ in members(speaker)[::2]
    ]
    manifest.write_text("path,speaker,split\n" + "\n".join(lines))
    prepare(folder_of(place / "audio", manifest=str(manifest)), place / "corpus")
    return place / "corpus"


def settings(path: Path | str, **keys: Any) -> dict[str, Any]:
    section = {"path": str(path), **keys}
    return validate(Corpus, {"kind": "huggingface", "huggingface": section}).chosen()


def test_a_dataset_gives_the_samples_of_the_same_files(
    parquet: Path, from_folder: Path, tmp_path: Path
) -> None:
    prepare(settings(parquet, name="clean", text="text"), tmp_path / "one")
    assert listed(tmp_path / "one") == listed(from_folder)
    assert len(listed(tmp_path / "one")) == 16
    assert rows(tmp_path / "one", "utterance")[3:5] == ["train-00000.000003", "train-00001.000000"]
    assert rows(tmp_path / "one", "text")[0] == "ann says ann/0.flac"
    prepare(settings(parquet, name="clean", text="text"), tmp_path / "three", workers=3)
    assert contents(tmp_path / "three") == contents(tmp_path / "one")
    names = prepare_in_shards(settings(parquet, name="clean", text="text"), 1.0, tmp_path)
    assert len(names) == 4
    assert identity_of(tmp_path / "corpus") == identity_of(tmp_path / "one")


def test_a_dataset_as_save_to_disk_writes_it(from_folder: Path, tmp_path: Path) -> None:
    splits = {
        split: dataset(*(name for name in SPEAKERS if SPLIT_OF[name] == split)) for split in SPLITS
    }
    datasets.DatasetDict(splits).save_to_disk(
        tmp_path / "saved", num_shards={"train": 2, "validation": 1, "test": 1}
    )
    prepare(settings(tmp_path / "saved"), tmp_path / "out")
    assert listed(tmp_path / "out") == listed(from_folder)
    assert set(rows(tmp_path / "out", "text")) == {""}


def test_audio_may_lie_beside_the_dataset(from_folder: Path, tmp_path: Path) -> None:
    """A column of paths alone."""
    folder_of(tmp_path / "audio")
    found = {}
    for split in SPLITS:
        names = [name for name in SPEAKERS if SPLIT_OF[name] == split]
        paths = [str(tmp_path / "audio" / file) for name in names for file, _ in members(name)[::2]]
        table = {"audio": paths, "speaker_id": [path.split("/")[-2] for path in paths]}
        found[split] = datasets.Dataset.from_dict(table)
    datasets.DatasetDict(found).save_to_disk(tmp_path / "saved")
    prepare(settings(tmp_path / "saved"), tmp_path / "out")
    assert listed(tmp_path / "out") == listed(from_folder)


def test_speakers_are_drawn_as_those_of_a_folder(tmp_path: Path) -> None:
    dataset(*SPEAKERS).to_parquet(tmp_path / "data" / "train.parquet")
    drawn = {"validation_speakers": 1, "test_speakers": 1, "test_utterances": 3}
    prepare(folder_of(tmp_path / "audio", **drawn), tmp_path / "folder")
    prepare(settings(tmp_path / "data", draw_from=["train"], **drawn), tmp_path / "dataset")
    assert listed(tmp_path / "dataset") == listed(tmp_path / "folder")
    rule = {"speaker": "text", "speaker_rule": "^(.*) says"}
    prepare(settings(tmp_path / "data", draw_from=["train"], **drawn, **rule), tmp_path / "rule")
    assert listed(tmp_path / "rule") == listed(tmp_path / "folder")


def test_what_is_missing(parquet: Path, tmp_path: Path) -> None:
    def fails(message: str, path: Path | str = parquet, **keys: Any) -> None:
        with pytest.raises(TaaeError, match=message) as error:
            prepare(settings(path, **{"name": "clean", **keys}), tmp_path / "out")
        assert "\n" not in str(error.value)

    fails(
        "speaker: split 'test' has no column 'who'; it has audio, speaker_id, number", speaker="who"
    )
    fails("audio: split 'test' has no column 'wave'; it has audio", audio="wave")
    fails("text: split 'test' has no column 'said'; it has audio", text="said")
    fails("speaker_rule finds no speaker in 'dee'", speaker_rule="(x)")
    fails("split 'dev'.*dev", validation=["dev"])
    fails("other", name="other")
    fails("corpus.huggingface.path is empty", "")
    fails("no such folder, nor user/name", "/no/such/folder")
    fails("revision is empty: .* give the commit", "user/speech")
    fails("train-00000-of-00002", audio="number")
    with pytest.raises(TaaeError, match="revision"):
        settings(parquet, revision="main")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TaaeError, match=r"no package datasets; .*pip install 'taae\[datasets\]'"):
        HUGGINGFACE.plan(settings(tmp_path))


def test_a_name_on_the_hub_is_streamed_or_taken_from_the_cache(
    parquet: Path, from_folder: Path, tmp_path: Path
) -> None:
    with hub() as server:
        server.files["me/speech"] = {
            path.relative_to(parquet).as_posix(): path.read_bytes()
            for path in parquet.rglob("*")
            if path.is_file()
        }
        study(tmp_path, local_files_only=True)
        done = corpus(tmp_path, server, "none")
        assert done.returncode == 1
        assert "me/speech, split 'train': " in done.stderr.splitlines()[-1]
        assert not any("speech" in path for _, path in server.asked)

        study(tmp_path)
        done = corpus(tmp_path, server, "streamed")
        assert done.returncode == 0, done.stderr
        assert listed(tmp_path / "streamed") == listed(from_folder)
        assert not list((tmp_path / "home").rglob("*.parquet"))
        assert all(COMMIT in path for _, path in server.asked if "resolve" in path)

        download = f"snapshot_download('me/speech', repo_type='dataset', revision='{COMMIT}')"
        run(["-c", f"import huggingface_hub; huggingface_hub.{download}"], tmp_path, server)
        server.asked.clear()
        study(tmp_path, local_files_only=True)
        done = corpus(tmp_path, server, "cached")
        assert done.returncode == 0, done.stderr
        assert not any("speech" in path for _, path in server.asked)
    for name in (f"{split}.{kind}" for split in SPLITS for kind in ("npy", "csv")):
        assert (tmp_path / "cached" / name).read_bytes() == (
            tmp_path / "streamed" / name
        ).read_bytes()


def study(folder: Path, **keys: Any) -> None:
    section = {"path": "me/speech", "revision": COMMIT, "name": "clean", **keys}
    overlay = {"corpus": {"kind": "huggingface", "huggingface": section}}
    (folder / "study.json").write_text(json.dumps(overlay))


def corpus(folder: Path, server: Hub, output: str) -> subprocess.CompletedProcess[str]:
    return run(
        ["-m", "taae", "corpus", "--study", "study.json", "--output", output], folder, server
    )


def run(words: list[str], folder: Path, server: Hub) -> subprocess.CompletedProcess[str]:
    """Run Python with the hub of this machine and a cache of its own."""
    about = {"HF_ENDPOINT": server.address, "HF_HOME": str(folder / "home")}
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "")
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **about, **proxies, "HF_HUB_DISABLE_TELEMETRY": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
