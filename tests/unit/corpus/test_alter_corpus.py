"""Test sets: of folders, LibriSpeech and synthetic voices the test split, and altered ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest

from taae.corpus import folder, librispeech
from taae.corpus.alter_corpus import alter_corpus
from taae.corpus.config import Alteration
from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.corpus.synthetic import passages
from taae.evaluation.decoded_files import write_reference
from taae.study.load import resolve
from taae.utils.errors import TaaeError
from tests.unit.corpus.corpora import write_corpus

RATE = 16_000


def chosen(**test: Any) -> dict[str, Any]:
    return resolve({"tests": {"t": test}}).tests["t"].chosen()


def altered(max_rejected: float = 0.05, **how: Any) -> dict[str, Any]:
    return chosen(kind="altered", max_rejected=max_rejected, altered=how)


def speech(seed: int, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(seed).uniform(-1, 1, RATE)


def test_an_altered_set_has_the_same_utterances(tmp_path: Path) -> None:
    main = write_corpus(tmp_path / "main", {"a": speech(1), "b": speech(2)})
    alter_corpus(main, "noisy", altered(gain_db=-6.0, noise_db=20), tmp_path / "noisy")
    before, after = Split.open(main, "test"), Split.open(tmp_path / "noisy", "test")
    assert [each.utterance for each in after.utterances] == ["a", "b"]
    for index, (old, new) in enumerate(zip(before.utterances, after.utterances, strict=True)):
        assert (new.speaker, new.samples, new.start) == (old.speaker, old.samples, old.start)
        assert new.gain_db == old.gain_db - 6.0
        assert new.peak_limited == 0
        samples = after.audio(index).astype(float)
        measured = pyloudnorm.Meter(RATE).integrated_loudness(samples)
        assert new.loudness == pytest.approx(measured, abs=0.01)
        added = samples * 10**0.3 - before.audio(index)
        ratio = (before.audio(index).astype(float) ** 2).sum() / (added**2).sum()
        assert 10 * np.log10(ratio) == pytest.approx(20, abs=0.1)  # rounded to 16 bits
    about = json.loads((tmp_path / "noisy" / "corpus.json").read_bytes())
    assert list(about["splits"]) == ["test"]
    assert about["settings"]["altered"]["noise_db"] == 20


def test_clipped_and_inaudible_utterances_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = write_corpus(tmp_path / "main", {"a": speech(1, 0.9), "b": speech(2, 0.001)})
    alter_corpus(main, "loud", altered(gain_db=6.0), tmp_path / "loud")
    loud = Split.open(tmp_path / "loud", "test")
    assert [each.peak_limited for each in loud.utterances] == [1, 0]
    assert np.abs(loud.stored(0, loud.samples).astype(int)).max() == 32768
    expected = (np.abs(Split.open(main, "test").audio(0) * 10**0.3) > 1).sum()
    assert f"{expected} samples beyond full scale were clipped" in capsys.readouterr().err
    with pytest.raises(TaaeError, match=r"1 of 2 .* \(1 silent\); .*max_rejected allows 5%; make"):
        alter_corpus(main, "soft", altered(gain_db=-30.0), tmp_path / "soft")
    assert not (tmp_path / "soft" / "corpus.json").exists()
    alter_corpus(main, "soft", altered(max_rejected=0.5, gain_db=-30.0), tmp_path / "soft")
    assert "1 of 2 utterances are too soft once altered" in capsys.readouterr().err
    soft = Split.open(tmp_path / "soft", "test")
    assert [each.utterance for each in soft.utterances] == ["a"]
    with (tmp_path / "soft" / "rejected.csv").open() as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["silent"]
    with pytest.raises(TaaeError, match="none of its test utterances can be heard"):
        alter_corpus(main, "silence", altered(gain_db=-80.0), tmp_path / "silence")
    assert not (tmp_path / "silence" / "corpus.json").exists()


def test_noise_on_noise_adds_up_as_two_noises_do(tmp_path: Path) -> None:
    """At 20 dB each, it is at 17 dB; the same noise twice would be at 14 dB."""
    main = write_corpus(tmp_path / "main", {"a": speech(1)})
    alter_corpus(main, "one", altered(noise_db=20), tmp_path / "one")
    alter_corpus(tmp_path / "one", "two", altered(noise_db=20), tmp_path / "two")
    before, after = (Split.open(each, "test").audio(0) for each in (main, tmp_path / "two"))
    ratio = (before.astype(float) ** 2).sum() / ((after - before).astype(float) ** 2).sum()
    assert 10 * np.log10(ratio) == pytest.approx(17, abs=0.3)


def test_what_is_too_soft_once_altered_has_no_reference(tmp_path: Path) -> None:
    main = write_corpus(tmp_path / "main", {"a": speech(1, 0.9), "b": speech(2, 0.001)})
    alter_corpus(main, "soft", altered(max_rejected=0.5, gain_db=-30.0), tmp_path / "soft")
    write_reference(main, tmp_path / "clean", tmp_path / "soft")
    assert [path.name for path in (tmp_path / "clean/audio").iterdir()] == ["a.flac"]


def test_what_a_set_is_compared_with_is_no_part_of_it() -> None:
    assert altered(gain_db=1.0, reference="clean") == altered(gain_db=1.0)


def test_babble_is_of_others(tmp_path: Path) -> None:
    main = write_corpus(tmp_path / "main", {"a": speech(1)})
    with pytest.raises(TaaeError, match="one utterance alone; babble is made of others"):
        alter_corpus(main, "babble", altered(noise_db=10, noise="babble"), tmp_path / "babble")
    main = write_corpus(tmp_path / "main", {"a": speech(1), "b": speech(2)})
    alter_corpus(main, "babble", altered(noise_db=0, noise="babble"), tmp_path / "babble")
    before, after = Split.open(main, "test"), Split.open(tmp_path / "babble", "test")
    added = after.audio(0) - before.audio(0)
    spectra = [np.abs(np.fft.rfft(each)) for each in (added, before.audio(1))]  # of any start
    assert np.corrcoef(spectra)[0, 1] > 0.999


def test_a_folder_without_splits_is_all_for_testing(tmp_path: Path) -> None:
    for name in ("x/1.wav", "x/2.wav", "y/1.wav", "z/1.wav"):
        path = tmp_path / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    where = {"path": str(tmp_path / "audio")}

    def found(**settings: Any) -> set[tuple[str, str]]:
        items = folder.plan(chosen(kind="folder", folder=where | settings)).items
        return {(each.label.source, each.label.split) for each in items}

    assert found() == {(name, "test") for name in ("x/1.wav", "x/2.wav", "y/1.wav", "z/1.wav")}
    assert len({source[0] for source, _ in found(test_speakers=2)}) == 2
    assert found(test_speakers=2) == found(test_speakers=2)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,speaker,split\nx/1.wav,x,train\ny/1.wav,y,test\n")
    assert found(manifest=str(manifest)) == {("y/1.wav", "test")}
    manifest.write_text("path,speaker,split\nx/1.wav,x,train\n")
    with pytest.raises(TaaeError, match=r"manifest\.csv: no file is of split test"):
        found(manifest=str(manifest))


def test_of_librispeech_the_test_subsets_alone_have_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "test-other/7/8/7-8-0000.flac"
    path.parent.mkdir(parents=True)
    path.touch()
    where = {"path": str(tmp_path), "test": ["test-other"]}
    items = librispeech.plan(chosen(kind="librispeech", librispeech=where)).items
    assert [(each.label.utterance, each.label.split) for each in items] == [("7-8-0000", "test")]


def test_synthetic_voices_are_the_test_voices_of_a_corpus_with_the_same_settings(
    tmp_path: Path,
) -> None:
    few = {"train": {"voices": 3, "minutes": 0.3}, "test": {"voices": 2, "utterances": 1}}
    whole = passages.plan(resolve({"corpus": {"synthetic": few}}).corpus).items
    alone = passages.plan(chosen(kind="synthetic", synthetic=few)).items
    assert alone == [job for job in whole if job.labels[0].split == "test"]
    prepare(chosen(kind="synthetic", synthetic=few), tmp_path / "set")
    assert len(Split.open(tmp_path / "set", "test").utterances) == 2
    assert not (tmp_path / "set" / "train.npy").exists()


def test_every_key_of_an_alteration_is_one_of_a_test_set() -> None:
    assert set(Alteration.__dataclass_fields__) < set(altered(gain_db=1.0)["altered"])
