"""Tars against the same files in a folder; damaged, hostile and huge ones; a web server."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from taae.cli import main
from taae.corpus import config as sections
from taae.corpus import http_stream
from taae.corpus.config import Corpus
from taae.corpus.prepare import prepare
from taae.corpus.samples import Encoded, Part, Sample, batches
from taae.corpus.store import identity_of
from taae.corpus.utterance import SPLITS
from taae.corpus.webdataset import WEBDATASET, Tars, expand
from taae.utils.errors import TaaeError
from taae.utils.files import write_json
from taae.utils.settings import validate
from tests.faults.server import Server, cut, serving, status, whole
from tests.unit.corpus.corpora import prepare_in_shards

SPEAKERS = ("ann", "bob", "cy", "dee")
FORMATS = ("flac", "wav", "ogg", "mp3")  # of each speaker's utterances, one each
Members = list[tuple[str, bytes]]


def audio(seed: int, kind: str = "flac", seconds: float = 0.8) -> bytes:
    rng = np.random.default_rng(seed)
    rate = (16_000, 22_050, 48_000)[seed % 3]
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * (150 + 10 * seed) * time) * rng.uniform(0.1, 0.5)
    file = io.BytesIO()
    soundfile.write(file, wave + 0.01 * rng.normal(size=len(time)), rate, format=kind.upper())
    return file.getvalue()


def utterance(speaker: str, number: int) -> Members:
    """The files of an utterance; number -1 is no audio."""
    kind = FORMATS[number % 4]
    content = audio(10 * SPEAKERS.index(speaker) + number, kind)
    about = {"speaker": speaker, "text": f"{speaker} says {number}", "id": number}
    key = f"{speaker}/{number}"
    return [(f"{key}.{kind}", content), (f"{key}.json", json.dumps(about).encode())]


SPOKEN = {speaker: [utterance(speaker, number) for number in range(4)] for speaker in SPEAKERS}


def tar(path: Path, members: Members, mode: str = "w") -> str:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return str(path)


def members(*speakers: str) -> Members:
    return [file for speaker in speakers for files in SPOKEN[speaker] for file in files]


@pytest.fixture
def shards(tmp_path: Path) -> dict[str, list[str]]:
    """Two tars of the training, one of each other split."""
    split_of = {"train": members("ann", "bob"), "validation": members("cy"), "test": members("dee")}
    found = {split: [tar(tmp_path / f"{split}-0.tar", split_of[split])] for split in split_of}
    ann, bob = members("ann"), members("bob")
    found["train"] = [tar(tmp_path / "train-0.tar", ann), tar(tmp_path / "train-1.tar", bob)]
    return found


def settings(**keys: Any) -> dict[str, Any]:
    return validate(Corpus, {"kind": "webdataset", "webdataset": keys}).chosen()


def folder_of(path: Path, **keys: Any) -> dict[str, Any]:
    """A corpus of the same files in a folder."""
    for speaker in SPEAKERS:
        (path / speaker).mkdir(parents=True)
        for name, content in members(speaker):
            (path / name).write_bytes(content)
    corpus = {"kind": "folder", "folder": {"path": str(path), "manifest": "", **keys}}
    return validate(Corpus, corpus).chosen()


def listed(folder: Path) -> list[tuple[str, ...]]:
    """What a prepared corpus has, by the hash of its samples."""
    rows = [row for split in SPLITS for row in csv.DictReader((folder / f"{split}.csv").open())]
    return [(row["split"], row["speaker"], row["loudness"], row["sha256"]) for row in rows]


def rows(folder: Path, column: str) -> list[str]:
    return [
        row[column]
        for split in SPLITS
        for row in csv.DictReader((folder / f"{split}.csv").open(encoding="utf-8"))
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_tars_give_the_samples_of_the_same_files_in_a_folder(
    shards: dict[str, list[str]], tmp_path: Path
) -> None:
    split_of = dict(zip(SPEAKERS, ("train", "train", "validation", "test"), strict=True))
    lines = [
        f"{name},{speaker},{split_of[speaker]},{speaker} says {name[-5]}"
        for speaker in SPEAKERS
        for name, _ in members(speaker)[::2]
    ]
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "path,speaker,split\n" + "\n".join(line.rpartition(",")[0] for line in lines)
    )
    prepare(folder_of(tmp_path / "audio", manifest=str(manifest)), tmp_path / "folder")
    section = {"kind": "webdataset", "webdataset": {**shards, "text": "text"}}
    write_json({"corpus": section}, tmp_path / "study.json")
    words = ["corpus", "--study", str(tmp_path / "study.json"), "--output", str(tmp_path / "tars")]
    assert main(words) == 0
    assert listed(tmp_path / "tars") == listed(tmp_path / "folder")
    assert len(listed(tmp_path / "tars")) == 16
    assert rows(tmp_path / "tars", "utterance")[:5] == [
        *(f"train-0.ann-{number}" for number in range(4)),
        "train-1.bob-0",
    ]
    assert rows(tmp_path / "tars", "source")[4] == "train-1/bob/0"
    assert rows(tmp_path / "tars", "text")[0] == "ann says 0"


def test_the_samples_do_not_depend_on_workers_or_on_the_order_of_shards(
    shards: dict[str, list[str]], tmp_path: Path
) -> None:
    prepare(settings(**shards), tmp_path / "one", workers=1)
    prepare(settings(**shards), tmp_path / "three", workers=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")
    shards["train"].reverse()
    prepare(settings(**shards), tmp_path / "turned", workers=2)
    for column in ("utterance", "sha256"):
        assert sorted(rows(tmp_path / "turned", column)) == sorted(rows(tmp_path / "one", column))


@pytest.mark.parametrize("drawn", [False, True])
def test_a_corpus_in_shards_is_the_corpus_in_one_piece(
    drawn: bool, shards: dict[str, list[str]], tmp_path: Path
) -> None:
    few = {"validation_speakers": 1, "test_speakers": 1}
    lists = {"draw_from": [str(tmp_path / "*.tar")], **few} if drawn else shards
    corpus = settings(**lists, test_utterances=3)
    prepare(corpus, tmp_path / "whole")
    names = prepare_in_shards(corpus, 1e-6, tmp_path)
    assert len(names) == 4
    assert identity_of(tmp_path / "corpus") == identity_of(tmp_path / "whole")


def test_speakers_are_drawn_as_those_of_a_folder(tmp_path: Path) -> None:
    drawn = {"validation_speakers": 1, "test_speakers": 1, "test_utterances": 3}
    tar(tmp_path / "a-0.tar", members("ann", "bob"))
    tar(tmp_path / "a-1.tar", members("cy", "dee"))
    prepare(folder_of(tmp_path / "audio", **drawn), tmp_path / "folder")
    pattern = str(tmp_path / "a-{0..1}.tar")
    prepare(settings(draw_from=[pattern], **drawn), tmp_path / "tars")
    assert listed(tmp_path / "tars") == listed(tmp_path / "folder")
    assert len(listed(tmp_path / "tars")) == 15


def test_a_test_set_reads_its_own_tars_alone(shards: dict[str, list[str]], tmp_path: Path) -> None:
    test_set = {"kind": "webdataset", "webdataset": {"test": shards["test"], "test_utterances": 2}}
    prepare(validate(sections.TestSet, test_set).chosen(), tmp_path / "out")
    assert len(list(csv.DictReader((tmp_path / "out" / "test.csv").open()))) == 2
    drawn = {"draw_from": shards["test"], "train": ["/nowhere.tar"]}
    prepare(
        validate(sections.TestSet, {"kind": "webdataset", "webdataset": drawn}).chosen(),
        tmp_path / "d",
    )
    assert len(list(csv.DictReader((tmp_path / "d" / "test.csv").open()))) == 4


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_tar_holds_the_same(mode: str, tmp_path: Path) -> None:
    plain = samples(tar(tmp_path / "x.tar", members("ann")))
    packed = samples(tar(tmp_path / f"x.tar.{mode[2:]}", members("ann"), mode))
    assert packed == plain != []
    assert Tars(chosen(), 60.0).name(str(tmp_path / "x.tar.gz")) == "x"


def chosen(**keys: Any) -> dict[str, Any]:
    return settings(**keys)["webdataset"]  # type: ignore[no-any-return]


def samples(path: str, longest: float = 60.0, **keys: Any) -> list[Any]:
    return list(Tars(chosen(**keys), longest).samples(path))


def read(path: str) -> Iterator[Encoded]:
    for batch in batches(Part(path, 0, "x", "train"), Tars, chosen(), 60.0):
        yield from batch


def test_labels_are_from_json_txt_or_the_name(tmp_path: Path) -> None:
    flac = audio(0)
    path = tar(
        tmp_path / "x.tar",
        [
            ("README.md", b"# read me"),
            ("p1/u1.json", b'{"who": 17, "said": null}'),
            ("p1/u1.seg.FLAC", b"not the audio: seg.flac is another suffix"),
            ("p1/u1.FLAC", flac),
            ("p1/u1.txt", " grüß\n".encode()),
        ],
    )
    (sample,) = samples(path, speaker="who")
    assert (sample.key, sample.speaker, sample.text) == ("p1/u1", "17", "grüß")
    assert sample.audio == flac
    (sample,) = samples(path, speaker="__key__", speaker_rule="^([^/]+)/", text="said")
    assert (sample.speaker, sample.text) == ("p1", "")


@pytest.mark.parametrize(
    ("json_", "keys", "message"),
    [
        (b'{"speaker": ""}', {}, r"sample a: corpus.webdataset.speaker finds no speaker in ''"),
        (b'{"speaker": [1]}', {}, r"speaker finds no speaker in \[1\]"),
        (
            b'{"who": 1, "x": 2}',
            {},
            r"no key 'speaker' \(corpus.webdataset.speaker\); it has who, x",
        ),
        (b'{"speaker": "a"}', {"text": "said"}, r"no key 'said' \(corpus.webdataset.text\)"),
        (b'{"speaker": "a"}', {"speaker_rule": "(b)"}, "speaker_rule finds no speaker in 'a'"),
        (b"[]", {}, "it has no keys"),
        (b'{"speaker"', {}, "its .json is no JSON"),
        (b"[" * 100_000, {}, "its .json is no JSON"),
        (None, {}, r"no .json beside its audio.*its own name is __key__"),
    ],
)
def test_labels_that_are_missing(
    json_: bytes | None, keys: dict[str, Any], message: str, tmp_path: Path
) -> None:
    labels = [] if json_ is None else [("a.json", json_)]
    path = tar(tmp_path / "x.tar", [("a.flac", audio(0)), *labels])
    with pytest.raises(TaaeError, match=message) as error:
        samples(path, **keys)
    assert str(error.value).startswith(f"{path}: sample a")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.99])
def test_a_tar_that_ends_early(share: float, tmp_path: Path, shards: dict[str, list[str]]) -> None:
    path = Path(shards["train"][0])
    content = path.read_bytes()
    end = sum(512 + -(-len(data) // 512) * 512 for _, data in members("ann"))  # of the last member
    path.write_bytes(content[: round(share * end)])
    with pytest.raises(TaaeError, match=r"train-0\.tar: no tar, or damaged, or it ends early"):
        prepare(settings(**shards), tmp_path / "out")
    assert not (tmp_path / "out" / "corpus.json").exists()


def test_a_tar_that_ends_between_two_members(tmp_path: Path) -> None:
    """By itself tarfile would take it for a whole one."""
    path = Path(tar(tmp_path / "x.tar", members("ann")))
    first = sum(512 + -(-len(data) // 512) * 512 for _, data in members("ann")[:2])
    path.write_bytes(path.read_bytes()[:first])
    with pytest.raises(TaaeError, match="ends early"):
        samples(str(path))
    with pytest.raises(TaaeError, match="ends early"):
        list(Tars(chosen(), 60.0).speakers(str(path)))


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    path = Path(tar(tmp_path / "x.tar", members("ann")))
    content = bytearray(path.read_bytes())
    second = sum(512 + -(-len(data) // 512) * 512 for _, data in members("ann")[:2])
    content[second + 5] ^= 255
    path.write_bytes(content)
    with pytest.raises(TaaeError, match=r"damaged.*bad checksum"):
        samples(str(path))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            [("a.opus", b"x"), ("a.json", b"{}")],
            r"no audio \(.wav, .flac, .ogg, .mp3\) in this tar",
        ),
        ([("a.flac", b"x"), ("a.wav", b"x")], r"sample a has two audio files, .flac and .wav"),
    ],
)
def test_tars_without_usable_samples(files: Members, message: str, tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match=message):
        samples(tar(tmp_path / "x.tar", files))


def test_a_header_that_is_too_long(tmp_path: Path) -> None:
    """Such as of a name, which tarfile would read into the memory however long it is."""
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as file:
        file.addfile(tarfile.TarInfo(f"{2**21 * 'x'}.flac"))
    with pytest.raises(TaaeError, match=r"damaged.*a header of 2\d{6} bytes"):
        samples(str(tmp_path / "x.tar"))


def test_a_sample_that_is_there_twice(tmp_path: Path) -> None:
    """Its files are not in a row, or the tar was written twice to."""
    path = tar(tmp_path / "x.tar", [*members("ann"), *members("bob"), *members("ann")])
    with pytest.raises(TaaeError, match=r"x.tar: sample ann/0 is there twice"):
        list(read(path))


def test_names_are_labels_and_links_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    (tmp_path / "secret.flac").write_bytes(audio(1))
    with tarfile.open(path, "w") as file:
        for name in ("../../evil", "/abs/evil", "x/../evil\n", "EVIL", "evil"):
            for suffix, content in (("flac", audio(0)), ("json", b'{"speaker": "../s\\n"}')):
                member = tarfile.TarInfo(f"{name}.{suffix}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"link{kind.decode()}.flac")
            member.type, member.linkname = kind, str(tmp_path / "secret.flac")
            file.addfile(member)
        device = tarfile.TarInfo("device.flac")
        device.type = tarfile.CHRTYPE
        file.addfile(device)
    before = sorted(tmp_path.rglob("*"))
    found = [each.label for each in read(str(path))]
    assert [label.utterance for label in found[:3]] == ["x._-_-evil", "x.-abs-evil", "x.x-_-evil_"]
    assert found[3].utterance == "x.EVIL"
    assert found[4].utterance.startswith("x.evil-")  # else equal but for case
    assert len(found) == 5
    assert all(label.source.isprintable() and label.speaker.isprintable() for label in found)
    assert sorted(tmp_path.rglob("*")) == before


@given(st.lists(st.text(min_size=1), unique=True, max_size=30), st.randoms())
def test_ids_are_unique_over_tars_and_safe(keys: list[str], rng: random.Random) -> None:
    class Source:
        def __init__(self, *_: object) -> None: ...

        def samples(self, part: str) -> Iterator[Sample]:
            return (Sample(key, "s", "", b"") for key in keys)

    names = ["a", "a.1", "a.b", "a-1"]
    found = []
    for name in names:
        for batch in batches(Part(name, 0, name, "train"), Source, {}, 60.0):
            found += [each.label.utterance for each in batch]
    assert len({name.lower() for name in found}) == len(names) * len(keys)
    for name in found:
        assert len(name) <= 133
        assert not set(name) - set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
        )


def test_audio_that_is_too_long_is_not_read_whole(tmp_path: Path) -> None:
    """It is rejected as in a folder."""
    path = tmp_path / "x.tar"
    long = audio(0, "wav", seconds=30)
    tar(path, [("a.wav", long), ("a.json", b'{"speaker": "s"}')])
    (sample,) = samples(str(path), longest=0.05)
    assert sample.audio == long[:100_000]
    lists = {split: [tar(tmp_path / f"{split}.tar", members("ann"))] for split in SPLITS}
    lists["train"].append(str(path))
    corpus = settings(**lists) | {"max_seconds": 1.0, "max_rejected": 0.5}
    prepare(corpus, tmp_path / "out")
    (rejected,) = csv.DictReader((tmp_path / "out" / "rejected.csv").open())
    assert (rejected["source"], rejected["reason"]) == ("x/a", "too_long")


def test_memory_is_bounded_by_a_batch(tmp_path: Path) -> None:
    """A tar of 64 MB, read batch by batch: never more than a few samples are held."""
    content = np.random.default_rng(0).bytes(500_000)
    files = [
        file
        for number in range(128)
        for file in ((f"{number}.flac", content), (f"{number}.json", b'{"speaker": "s"}'))
    ]
    path = tar(tmp_path / "x.tar", files)
    tracemalloc.start()
    count = sum(1 for _ in read(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 128
    assert peak < 20_000_000


def test_lists_that_cannot_be(shards: dict[str, list[str]], tmp_path: Path) -> None:
    def fails(message: str, **keys: Any) -> None:
        with pytest.raises(TaaeError, match=message):
            WEBDATASET.plan(settings(**{**shards, **keys}))

    fails("corpus.webdataset.test is empty: list what each split takes", test=[])
    fails("/no/such-0.tar: no such file", train=["/no/such-{0..3}.tar"])
    fails(r"train-0.tar serves train and validation", validation=shards["train"][:1])
    fails("draw_from: before speakers are drawn", draw_from=["https://host/x.tar"])
    fails(
        "4 speakers .*too few.*in place of draw_from",
        draw_from=[*shards["train"], *shards["test"], *shards["validation"]],
    )
    fails("speaker_rule: '.' has 0 groups", speaker_rule=".")
    fails("checksums: .*No such file", checksums="/no/such")


def test_ranges() -> None:
    assert expand("a") == ["a"]
    assert expand("x-{08..11}.tar") == ["x-08.tar", "x-09.tar", "x-10.tar", "x-11.tar"]
    assert expand("{0..1}/{2..3}") == ["0/2", "0/3", "1/2", "1/3"]
    assert expand("{3..2}") == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_stream, "RETRIES", http_stream.RETRIES.new(backoff_factor=0))


@pytest.fixture
def server(tmp_path: Path, quick: None) -> Iterator[Server]:
    with serving(Path(tar(tmp_path / "x.tar", members("ann"))).read_bytes()) as running:
        yield running


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        ([], 1),
        ([cut(0.5)], 2),
        ([cut(0.3), cut(0.4), cut(0.5), cut(0.2)], 5),
        ([status(503), cut(0.6), status(429), status(500)], 5),
        ([cut(0.5), whole], 2),
    ],
)
def test_a_url_gives_what_the_file_gives(
    server: Server, faults: list[Any], requests: int, tmp_path: Path
) -> None:
    server.faults = faults
    url = f"{server.url}/shards/x.tar?signature=secret"
    assert samples(url) == samples(str(tmp_path / "x.tar"))
    assert len(server.asked) == requests
    assert Tars(chosen(), 60.0).name(url) == "x"


def test_a_server_that_does_not_give_it(server: Server) -> None:
    server.faults = [status(404)]
    with pytest.raises(TaaeError, match=r"/x.tar: 404 Client Error.*; 0 bytes came"):
        samples(f"{server.url}/x.tar")
    server.asked.clear()
    server.faults = [cut(0.5), *[cut(0.0)] * 10]
    with pytest.raises(TaaeError, match=r"x.tar: .*; \d{4,} bytes came"):
        samples(f"{server.url}/x.tar")
    with pytest.raises(TaaeError, match="0 bytes came"):
        samples("http://127.0.0.1:1/x.tar")


def test_checksums(server: Server, tmp_path: Path) -> None:
    good = hashlib.sha256(server.content).hexdigest()
    sums = tmp_path / "sums"
    sums.write_text(f"{64 * '0'}  y.tar\n{good} *shards/x.tar\n{64 * '1'}  other/x.tar\n")
    assert len(samples(f"{server.url}/a/shards/x.tar", checksums=str(sums))) == 4
    with pytest.raises(TaaeError, match=r"other/x.tar: its SHA-256 is not that of"):
        samples(f"{server.url}/other/x.tar", checksums=str(sums))
    sums.write_text("nonsense\n")
    with pytest.raises(TaaeError, match="sums, line 1: not as sha256sum writes it"):
        samples(f"{server.url}/x.tar", checksums=str(sums))


def test_the_corpus_of_a_server_is_that_of_the_files(
    server: Server, shards: dict[str, list[str]], tmp_path: Path
) -> None:
    prepare(settings(**{**shards, "train": [str(tmp_path / "x.tar")]}), tmp_path / "files")
    prepare(settings(**{**shards, "train": [f"{server.url}/x.tar"]}), tmp_path / "url", workers=2)
    for name in (f"{split}.{kind}" for split in SPLITS for kind in ("npy", "csv")):
        assert (tmp_path / "url" / name).read_bytes() == (tmp_path / "files" / name).read_bytes()
