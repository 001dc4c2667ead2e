"""A corpus in shards is the corpus in one piece: the same rows, samples, hash and batches."""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.corpus import prepare as preparing
from taae.corpus import store
from taae.corpus.prepare import prepare
from taae.corpus.shards import cut, prepare_shard
from taae.corpus.store import Split, identity_of
from taae.corpus.utterance import SPLITS, Kind, Label, Outcome, Plan, Rejected, Utterance
from taae.training import segments
from taae.utils.errors import TaaeError
from tests.unit.corpus.corpora import prepare_in_shards

CORPUS = {"kind": "noise", "max_rejected": 0.5}


@dataclass(frozen=True)
class Noise:
    """A file of noise; every seventh is bad."""

    number: int
    seconds: float
    label: Label

    @property
    def key(self) -> str:
        return self.label.utterance


def noise(number: int, speakers: int = 20) -> Noise:
    # Test and validation are spread over the corpus, as drawn speakers are.
    speaker = number % speakers
    split = {1: "test", 2: "validation"}.get(speaker, "train")
    name = f"u{number:05d}-\udcff"  # a name that is no UTF-8
    return Noise(number, 1 + number % 5, Label(name[:6], f"s{speaker}", split, name[:-1], "said"))


def work(batch: list[Noise], loudness: float) -> list[Outcome]:
    return [outcome(each, loudness) for each in batch]


def outcome(item: Noise, loudness: float) -> Outcome:
    if item.number % 7 == 3:
        return Rejected(item.label, "silent", 'nothing, "at all"')
    rng = np.random.default_rng(item.number)
    samples = rng.integers(-999, 999, 20 + item.number % 50).astype(np.int16)
    gain, rate = rng.normal(), int(rng.choice([16_000, 44_100]))
    return Utterance(item.label, samples, loudness, gain, item.number % 3 == 0, rate)


def use(monkeypatch: pytest.MonkeyPatch, numbers: list[int]) -> None:
    """Let the corpus be these items."""
    plan = Plan([noise(number) for number in numbers], {"loudness": -20.0})
    kind = Kind(lambda corpus: plan, work, Noise, together=4)
    monkeypatch.setitem(preparing.KINDS, "noise", kind)
    monkeypatch.setattr(preparing, "PRELOAD", ())  # no process for each batch: this one will do


def in_shards(hours: float, folder: Path) -> list[str]:
    return prepare_in_shards(CORPUS, hours, folder)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Return the folders of one corpus, by the number of its shards; 0: in one piece."""
    top, found = tmp_path_factory.mktemp("corpora"), {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(monkeypatch, [*range(300)])
        prepare(CORPUS, top / "whole")
        for number, hours in enumerate([0.0, 300 / 3600, 120 / 3600, 30 / 3600]):
            names = in_shards(hours, top / str(number))
            found[len(names)] = top / str(number) / "corpus"
    return {0: top / "whole", **found}


def about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "corpus.json").read_bytes())  # type: ignore[no-any-return]


def test_a_corpus_in_shards_is_the_corpus_in_one_piece(corpora: dict[int, Path]) -> None:
    assert len(corpora) == 5
    assert {0, 1} < set(corpora)
    assert max(corpora) > 20
    whole = corpora[0]
    for number, folder in corpora.items():
        if not number:
            continue
        assert identity_of(folder) == identity_of(whole)
        found = about(folder)
        assert 1 <= len(found.pop("shards")) <= number
        assert found == {key: value for key, value in about(whole).items() if key != "shards"}
        same = [f"{split}.csv" for split in SPLITS] + ["rejected.csv", "test.npy", "validation.npy"]
        for name in same:
            assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
        assert not (folder / "train.npy").exists()
        one, other = Split.open(whole, "train"), Split.open(folder, "train")
        assert one.utterances == other.utterances
        np.testing.assert_array_equal(one.stored(0, one.samples), other.stored(0, other.samples))


@pytest.fixture(scope="module")
def splits(corpora: dict[int, Path]) -> list[Split]:
    """Return the training splits, of the corpus in one piece first."""
    return [Split.open(corpora[number], "train") for number in sorted(corpora)]


@settings(deadline=None)
@given(st.data())
def test_segments_across_shards_are_those_of_one_piece(
    splits: list[Split], data: st.DataObject
) -> None:
    whole = splits[0]
    start = data.draw(st.integers(0, whole.samples))
    samples = data.draw(st.integers(0, whole.samples - start))
    seed, step = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(0, 10**9))
    length = data.draw(st.integers(1, whole.samples))
    expected = segments.batch(whole, length, 4, seed, step)
    for split in splits:
        got, want = split.segment(start, samples), whole.segment(start, samples)
        np.testing.assert_array_equal(got, want)
        assert torch.equal(segments.batch(split, length, 4, seed, step), expected)
        with pytest.raises(ValueError, match="are not among"):
            split.segment(start, whole.samples - start + 1)


def test_a_file_more_prepares_its_shard_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, [*range(0, 900, 3)])
    before = in_shards(60 / 3600, tmp_path / "one")
    use(monkeypatch, sorted([*range(0, 900, 3), 301]))
    after = in_shards(60 / 3600, tmp_path / "two")
    assert len(before) > 10
    assert len(set(after) - set(before)) <= 3
    assert identity_of(tmp_path / "one/corpus") != identity_of(tmp_path / "two/corpus")


def seconds(items: list[Noise]) -> float:
    return sum(item.seconds for item in items)


@given(st.lists(st.integers(0, 10**5), unique=True, min_size=1, max_size=300), st.integers(5, 200))
def test_shards_are_all_of_the_items_and_of_about_one_length(
    numbers: list[int], wanted: int
) -> None:
    items = [noise(number) for number in numbers]
    shards = [*cut(items, wanted / 3600)]
    assert [item for shard in shards for item in shard] == items
    assert all(wanted / 2 <= seconds(shard) for shard in shards[:-1])
    assert all(seconds(shard) < 2 * wanted + 5 for shard in shards)
    assert [*cut(items, 0.0)] == [items]


def test_one_item_more_changes_few_shards_wherever_it_is() -> None:
    """With a count in place of the hash, half of the shards would change on average."""
    items = [noise(number) for number in range(0, 6000, 2)]
    before = {tuple(shard) for shard in cut(items, 100 / 3600)}
    assert 60 < len(before) < 120  # of 9000 s
    changed = []
    for place in range(1, 6000, 60):
        more = sorted([*items, noise(place)], key=lambda item: item.number)
        changed.append(len({tuple(shard) for shard in cut(more, 100 / 3600)} - before))
    assert min(changed) == 1
    assert np.mean(changed) < 2.5
    assert np.median(changed) <= 2


def test_a_shard_that_is_all_rejected_or_of_another_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, [1, 2, 3, 4, 5, 6])  # test, validation, rejected, and three of training
    in_shards(1 / 3600, tmp_path)
    assert len(about(tmp_path / "corpus")["shards"]) == 3
    assert about(tmp_path / "corpus")["rejected"] == 1


def test_too_many_rejected_files_over_all_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, [1, 2, 4, 3, 10, 17, 24])
    with pytest.raises(TaaeError, match=r"4 of 7 files are rejected \(4 silent\)"):
        in_shards(1 / 3600, tmp_path)
    assert not (tmp_path / "corpus/corpus.json").exists()


def test_a_corpus_of_one_piece_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [*range(30)])
    prepare(CORPUS, tmp_path / "corpus")
    assert (tmp_path / "corpus/train.npy").exists()
    in_shards(10 / 3600, tmp_path)
    assert not (tmp_path / "corpus/train.npy").exists()


def test_a_missing_or_damaged_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [*range(100)])
    names = in_shards(30 / 3600, tmp_path)
    path = tmp_path / "corpus/shards" / names[1] / "train.npy"
    np.save(path, np.zeros(3, np.int16))
    with pytest.raises(
        TaaeError, match=rf"{names[1]}/train.npy: int16 of shape \(3,\), but corpus"
    ):
        Split.open(tmp_path / "corpus", "train")
    path.unlink()
    with pytest.raises(TaaeError, match=rf"{names[1]}/train.npy: no such file; rerun rule corpus"):
        Split.open(tmp_path / "corpus", "train")
    (tmp_path / "shards" / f"{names[0]}.json").write_text('{"kind": "noise"}')
    with pytest.raises(TaaeError, match=r"no shard of a corpus .*; rerun rule shards"):
        prepare_shard(tmp_path / "shards" / f"{names[0]}.json", tmp_path / "again")


def test_few_files_are_open_at_a_time(
    corpora: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "OPEN", 4)
    gc.collect()  # what other tests have left
    opened = files()
    split = Split.open(corpora[max(corpora)], "train")
    for step in range(100):
        segments.batch(split, 90, 8, 1, step)
    assert files() == opened + 4


def files() -> int:
    """Return the number of open files of this process."""
    return len([*Path("/proc/self/fd").iterdir()])
