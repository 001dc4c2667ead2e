import csv
import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile

from taae.corpus.config import Corpus
from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.corpus.synthetic import passages as synthetic
from taae.corpus.utterance import SPLITS
from taae.study.load import resolve
from taae.utils.errors import TaaeError
from taae.utils.settings import validate

SYNTHETIC = {
    "train": {"voices": 3, "minutes": 0.3},
    "validation": {"voices": 1, "utterances": 1},
    "test": {"voices": 2, "utterances": 1},
}
FILES = {f"{split}.{kind}" for split in SPLITS for kind in ("npy", "csv")} | {
    "corpus.json",
    "rejected.csv",
}


def synthetic_corpus(**settings: object) -> dict[str, Any]:
    return resolve({"corpus": {"synthetic": SYNTHETIC, **settings}}).corpus


def folder_corpus(path: Path, **settings: object) -> dict[str, Any]:
    few = {"validation_speakers": 1, "test_speakers": 1}
    corpus = {"kind": "folder", "folder": {"path": str(path), **few}, **settings}
    return validate(Corpus, corpus).chosen()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def noise(seconds: float = 1.0, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).normal(size=round(seconds * rate))


def write_speakers(folder: Path, *, files: int = 2, rate: int = 16_000) -> None:
    for speaker in "abc":
        (folder / speaker).mkdir(parents=True)
        for number in range(files):
            seed = ord(speaker) + number
            soundfile.write(folder / speaker / f"{number}.wav", noise(1, rate, seed), rate)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "corpus"
    prepare(synthetic_corpus(), folder, workers=1)
    return folder


def test_the_synthetic_corpus(spoken: Path) -> None:
    assert {path.name for path in spoken.iterdir()} == FILES
    splits = {name: Split.open(spoken, name) for name in SPLITS}
    assert splits["train"].samples >= 0.3 * 60 * 16_000
    assert [len(splits[name].utterances) for name in ("validation", "test")] == [1, 2]
    records = [record for split in splits.values() for record in split.utterances]
    for column in ("utterance", "text", "sha256"):
        assert len({getattr(record, column) for record in records}) == len(records)
    variants = {
        name: {record.source.split()[0].split("+")[1] for record in split.utterances}
        for name, split in splits.items()
    }
    assert len(set.union(*variants.values())) == sum(map(len, variants.values()))
    assert len({record.speaker for record in records}) == 6
    for record in records:
        assert 1.5 < record.samples / 16_000 < 10


def test_stored_audio_has_the_stated_loudness_and_hash(spoken: Path) -> None:
    meter = pyloudnorm.Meter(16_000)
    for name in SPLITS:
        split = Split.open(spoken, name)
        for index, record in enumerate(split.utterances):
            audio = split.audio(index)
            assert meter.integrated_loudness(audio) == pytest.approx(record.loudness, abs=0.05)
            assert np.abs(audio).max() <= 0.9901
            if not record.peak_limited:
                assert record.loudness == -20
            stored = split.stored(record.start, record.samples)
            assert hashlib.sha256(stored.tobytes()).hexdigest() == record.sha256


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_seed_gives_the_same_bytes(spoken: Path, tmp_path: Path, workers: int) -> None:
    prepare(synthetic_corpus(), tmp_path / "again", workers)
    assert contents(tmp_path / "again") == contents(spoken)


def test_another_seed_gives_other_speech() -> None:
    one, other = (synthetic.plan(synthetic_corpus(seed=seed)).items for seed in (1, 2))
    texts = [{label.text for job in jobs for label in job.labels} for jobs in (one, other)]
    assert not texts[0] & texts[1]
    assert [job.voice for job in one] != [job.voice for job in other]


def test_much_training_speech_is_made_in_bounded_passages() -> None:
    corpus = synthetic_corpus()
    corpus["synthetic"]["train"] = {"voices": 2, "minutes": 20}
    jobs = [job for job in synthetic.plan(corpus).items if job.labels[0].split == "train"]
    assert len(jobs) == 10
    assert sum(job.seconds for job in jobs) == pytest.approx(20 * 60)
    assert len({label.utterance for job in jobs for label in job.labels}) == sum(
        len(job.labels) for job in jobs
    )


def test_trimming_keeps_a_tenth_of_a_second_of_silence() -> None:
    samples = np.zeros(50_000, np.int16)
    samples[10_000:20_000:7] = 5
    trimmed = synthetic.trim(samples, 22_050)
    assert np.flatnonzero(trimmed)[0] == 2205
    assert len(trimmed) - np.flatnonzero(trimmed)[-1] - 1 == 2205
    assert len(synthetic.trim(samples[10_000:19_994], 22_050)) == 9994
    assert len(synthetic.trim(np.zeros(9, np.int16), 22_050)) == 9


def test_the_summary(spoken: Path) -> None:
    summary = json.loads((spoken / "corpus.json").read_text())
    assert summary["settings"] == synthetic_corpus()
    assert summary["rejected"] == 0
    assert summary["speakers_overlap"] == []
    assert summary["source_rates"] == {
        "22050": sum(about["utterances"] for about in summary["splits"].values())
    }
    assert summary["splits"]["test"]["speakers"] == 2
    seconds = summary["splits"]["train"]["seconds"]
    assert seconds == pytest.approx(len(np.load(spoken / "train.npy")) / 16_000, abs=1e-3)
    assert (spoken / "rejected.csv").read_text() == "source,speaker,reason,detail\n"


def test_a_folder_of_odd_names_and_formats(tmp_path: Path) -> None:
    names = ["-rf/a b.wav", "-rf/a_b.FLAC", 'quo"te/new\nline.ogg', "日本/$(x).mp3", "日本/x.wav"]
    for seed, name in enumerate(names):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        format_ = Path(name).suffix[1:].upper()
        audio = np.stack([noise(1, 24_000, seed)] * 2, axis=1)
        soundfile.write(tmp_path / "in" / name, audio, 24_000, format=format_)
    prepare(folder_corpus(tmp_path / "in"), tmp_path / "out", workers=2)
    records = [
        record for name in SPLITS for record in Split.open(tmp_path / "out", name).utterances
    ]
    assert {record.speaker for record in records} == {"-rf", 'quo"te', "日本"}
    assert {record.source for record in records} == {name.replace("\n", r"\n") for name in names}
    assert len({record.utterance for record in records}) == 5
    assert all(abs(record.samples - 16_000) < 10 for record in records)


def test_audio_is_stored_in_the_order_of_the_paths(tmp_path: Path) -> None:
    write_speakers(tmp_path / "in", files=3)
    corpus = folder_corpus(tmp_path / "in", loudness=-23.0)
    prepare(corpus, tmp_path / "out")
    for name in SPLITS:
        split = Split.open(tmp_path / "out", name)
        assert [record.source[1:] for record in split.utterances] == ["/0.wav", "/1.wav", "/2.wav"]
        for index, record in enumerate(split.utterances):
            source, _ = soundfile.read(tmp_path / "in" / record.source)
            expected = source * 10 ** (record.gain_db / 20)
            np.testing.assert_allclose(split.audio(index), expected, atol=1e-4)
            assert record.loudness == -23


def test_bad_files_are_listed(tmp_path: Path) -> None:
    write_speakers(tmp_path / "in", files=4)
    folder = tmp_path / "in" / "a"
    (folder / "text.wav").write_text("no audio" * 50)
    (folder / "void.wav").touch()
    for name, audio in {
        "silent": np.zeros(16_000),
        "short": noise(0.3),
        "loud": np.clip(noise() * 30, -1, 1),
        "nan": np.where(np.arange(16_000) == 5, np.nan, noise()),
        "headed": np.zeros(0),
    }.items():
        soundfile.write(folder / f"{name}.wav", audio, 16_000, subtype="FLOAT")
    prepare(folder_corpus(tmp_path / "in", max_rejected=0.5), tmp_path / "out")
    with (tmp_path / "out/rejected.csv").open(newline="") as file:
        rows = {row["source"]: row["reason"] for row in csv.DictReader(file)}
    assert rows == {
        "a/headed.wav": "empty",
        "a/loud.wav": "clipped",
        "a/nan.wav": "nonfinite",
        "a/short.wav": "too_short",
        "a/silent.wav": "silent",
        "a/text.wav": "unreadable",
        "a/void.wav": "empty",
    }
    assert json.loads((tmp_path / "out/corpus.json").read_text())["rejected"] == 7


def test_too_many_bad_files_leave_the_earlier_corpus(tmp_path: Path) -> None:
    write_speakers(tmp_path / "in")
    corpus = folder_corpus(tmp_path / "in")
    prepare(corpus, tmp_path / "out")
    before = contents(tmp_path / "out")
    for number in range(2):
        (tmp_path / "in/b" / f"bad{number}.wav").touch()
    soundfile.write(tmp_path / "in/c/quiet.wav", np.zeros(16_000), 16_000)
    with pytest.raises(TaaeError) as caught:
        prepare(corpus, tmp_path / "out")
    message = str(caught.value)
    assert "3 of 9 files are rejected (2 empty, 1 silent)" in message
    assert "corpus.max_rejected allows 5%" in message
    assert "First: b/bad0.wav (0 bytes); b/bad1.wav" in message
    assert contents(tmp_path / "out") == before


def test_a_later_corpus_replaces_the_earlier_and_nothing_else(tmp_path: Path) -> None:
    write_speakers(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep me")
    prepare(folder_corpus(tmp_path / "in"), tmp_path / "out")
    first = contents(tmp_path / "out")
    prepare(folder_corpus(tmp_path / "in", loudness=-25.0), tmp_path / "out")
    second = contents(tmp_path / "out")
    assert set(second) == FILES | {"mine.txt"}
    assert second["train.npy"] != first["train.npy"]
    assert Split.open(tmp_path / "out", "train").utterances[0].loudness == -25


def test_no_usable_file(tmp_path: Path) -> None:
    for speaker in "abc":
        (tmp_path / "in" / speaker).mkdir(parents=True)
        (tmp_path / "in" / speaker / "x.wav").touch()
    with pytest.raises(TaaeError, match=r"3 of 3 files are rejected \(3 empty\); repair"):
        prepare(folder_corpus(tmp_path / "in", max_rejected=1.0), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_split_that_loses_all_files(tmp_path: Path) -> None:
    write_speakers(tmp_path / "in")
    corpus = folder_corpus(tmp_path / "in", max_rejected=1.0)
    prepare(corpus, tmp_path / "out")
    speaker = Split.open(tmp_path / "out", "test").utterances[0].speaker
    for path in (tmp_path / "in" / speaker).iterdir():
        path.write_bytes(b"")
    with pytest.raises(TaaeError, match="no utterance in split 'test'"):
        prepare(corpus, tmp_path / "out")


def test_one_speaker_in_all_splits_is_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_speakers(tmp_path / "in", rate=8000)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "path,speaker,split\na/0.wav,LJ,train\nb/0.wav,LJ,validation\n"
        "c/0.wav,LJ,test\nc/1.wav,x,train\n"
    )
    corpus = folder_corpus(tmp_path / "in")
    corpus["folder"]["manifest"] = str(manifest)
    prepare(corpus, tmp_path / "out")
    assert json.loads((tmp_path / "out/corpus.json").read_text())["speakers_overlap"] == ["LJ"]
    said = capsys.readouterr().err
    assert "speakers overlap: LJ" in said
    assert "4 files have less than 16000 Hz" in said


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    write_speakers(tmp_path / "in")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(TaaeError, match="cannot write here"):
        prepare(folder_corpus(tmp_path / "in"), tmp_path / "out")


def test_a_full_disk_leaves_the_earlier_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_speakers(tmp_path / "in")
    prepare(folder_corpus(tmp_path / "in"), tmp_path / "out")
    before = contents(tmp_path / "out")

    def fail(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("taae.utils.files._sync", fail)
    with pytest.raises(TaaeError, match=r"out/.*: cannot write here \(No space left on device\)"):
        prepare(folder_corpus(tmp_path / "in", loudness=-30.0), tmp_path / "out")
    assert contents(tmp_path / "out") == before
