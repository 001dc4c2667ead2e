"""File names, links, formats and damages that a corpus or a scored folder may hold."""

from __future__ import annotations

import csv
import io
import os
import random
import re
import struct
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from taae.cli import main
from taae.corpus.normalise import REASONS
from taae.corpus.recordings import Recording, read_files
from taae.corpus.store import Split
from taae.corpus.utterance import SPLITS, Label, Rejected, printable
from tests.unit.evaluation.speechlike import noisy, speech

SECTIONS = ("model", "attention", "bottleneck", "training", "decoding", "metrics", "statistics")
RATE = 16_000

NAMES = {
    "spaces": " two  spaces ",
    "single quote": "it's",
    "double quote": 'say "hello"',
    "newline": "new\nline",
    "tab": "tab\there",
    "composed": unicodedata.normalize("NFC", "café"),
    "decomposed": unicodedata.normalize("NFD", "café"),
    "no Latin": "日本語",
    "right to left": "\u202eabc",
    "leading dash": "-rf",
    "option": "--help",
    "remove": ";rm -rf x",
    "substitution": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "backslash": "back\\slash",
    "glob": "*?[a]",
    "formula": "=1+1",
    "comma": "a,b",
    "braces": "{variant}",
    "percent": "%s%n",
    "lower case": "case",
    "upper case": "CASE",
    "long": "x" * 240,
    "dots": "...",
    "no text": os.fsdecode(b"caf\xe9"),
}


def noise(seconds: float = 1.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(channels)
    return 0.1 * rng.normal(size=(round(seconds * rate), channels))


def wav(audio: np.ndarray, rate: int = RATE, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    raw = io.BytesIO()
    soundfile.write(raw, audio, rate, subtype=subtype, format=kind)
    return raw.getvalue()


def flac(audio: np.ndarray) -> bytes:
    return wav(audio, kind="FLAC")


def with_sample(value: float) -> bytes:
    audio = noise()
    audio[100] = value
    return wav(audio, subtype="FLOAT")


def claiming(size: int) -> bytes:
    """A WAV of one second whose data chunk claims `size` bytes."""
    good = wav(noise())
    return good[:40] + struct.pack("<I", size) + good[44:]


def flac_claiming_years() -> bytes:
    """A FLAC whose STREAMINFO claims 2^36 - 1 samples; they would be 550 GB."""
    good = bytearray(flac(noise()))
    good[21] |= 0x0F  # STREAMINFO follows 8 bytes; its samples are the low 36 bits of bytes 13..17
    good[22:26] = b"\xff" * 4
    return bytes(good)


class Content(NamedTuple):
    """What a file holds, and why it is rejected; None: it is not."""

    content: bytes
    reason: str | None = None
    suffix: str = "wav"


CONTENTS = {
    "8 bits": Content(wav(noise(), subtype="PCM_U8")),
    "24 bits": Content(wav(noise(), subtype="PCM_24")),
    "32 bits": Content(wav(noise(), subtype="PCM_32")),
    "float": Content(wav(noise(), subtype="FLOAT")),
    "double": Content(wav(noise(), subtype="DOUBLE")),
    "beyond full scale": Content(wav(40 * noise(), subtype="FLOAT")),
    "8 kHz": Content(wav(noise(rate=8000), 8000)),
    "96 kHz": Content(wav(noise(rate=96_000), 96_000)),
    "11127 Hz": Content(wav(noise(rate=11_127), 11_127)),
    "8 channels": Content(wav(noise(channels=8))),
    "FLAC named WAV": Content(flac(noise())),
    "WAV named FLAC": Content(wav(noise()), suffix="flac"),
    "capitals": Content(wav(noise()), suffix="WAV"),
    "length unknown to its header": Content(claiming(2**32 - 1)),
    "NaN": Content(with_sample(np.nan), "nonfinite"),
    "infinity": Content(with_sample(-np.inf), "nonfinite"),
    "FLAC cut in the middle": Content(
        flac(noise(3))[: len(flac(noise(3))) // 2], "unreadable", "flac"
    ),
    "FLAC of its header alone": Content(flac(noise())[:42], "unreadable", "flac"),
    "FLAC of years": Content(flac_claiming_years(), "too_long", "flac"),
    "WAV cut in the middle": Content(wav(noise())[:-10_000], "unreadable"),
    "WAV claiming more": Content(claiming(10**8), "unreadable"),
    "WAV of its header alone": Content(wav(noise())[:44], "unreadable"),
    "WAV of no samples": Content(wav(noise(0)), "empty"),
    "empty file": Content(b"", "empty"),
    "text": Content(b"no audio at all\n" * 100, "unreadable"),
    "ZIP": Content(b"PK\x03\x04" + bytes(1000), "unreadable"),
    "zeros": Content(bytes(10_000), "unreadable"),
    "silence": Content(wav(np.zeros(RATE)), "silent"),
    "offset alone": Content(wav(np.full(RATE, 0.5)), "silent"),
    "square wave at full scale": Content(wav(np.sign(np.sin(np.arange(RATE) / 20))), "clipped"),
    "a click": Content(wav(noise(0.01)), "too_short"),
    "121 s": Content(wav(np.zeros(121 * 8000), 8000), "too_long"),
}


def write_study(root: Path, **folder: object) -> Path:
    corpus = {
        "kind": "folder",
        "folder": {"path": str(root / "in"), "speaker": "^([^/]+)/", "test_utterances": 100}
        | {"validation_speakers": 1, "test_speakers": 1}
        | folder,
        "max_rejected": 0.9,
    }
    config: dict[str, object] = {name: {} for name in SECTIONS}
    (root / "study.yaml").write_text(yaml.safe_dump(config | {"corpus": corpus}))
    return root / "study.yaml"


def prepare(root: Path) -> int:
    command = ["corpus", "--study", str(root / "study.yaml"), "--output", str(root / "out")]
    return main([*command, "--jobs", "2"])


class Outcomes(NamedTuple):
    accepted: dict[str, str]  # source -> utterance
    rejected: dict[str, str]  # source -> reason


def outcomes(root: Path) -> Outcomes:
    records = [record for name in SPLITS for record in Split.open(root / "out", name).utterances]
    with (root / "out/rejected.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    accepted = {record.source: record.utterance for record in records}
    assert len(accepted) == len(records)
    return Outcomes(accepted, {row["source"]: row["reason"] for row in rows})


def add_speakers(folder: Path) -> None:
    for speaker in ("a", "b", "c"):
        (folder / speaker).mkdir(parents=True)
        (folder / speaker / "plain.wav").write_bytes(wav(noise()))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every name, content and link in one corpus, beside three good files."""
    root = tmp_path_factory.mktemp("hostile")
    add_speakers(root / "in")
    odd = root / "in" / "odd $(touch pwned) 'name'"
    odd.mkdir()
    for name in NAMES.values():
        (odd / f"{name}.wav").write_bytes(wav(noise()))
    for name, (content, _, suffix) in CONTENTS.items():
        (root / "in/a" / f"{name}.{suffix}").write_bytes(content)
    links = root / "in/b"
    (links / "loop").symlink_to(root / "in")
    (links / "itself.wav").symlink_to(links / "itself.wav")
    (links / "broken.wav").symlink_to(root / "nowhere.wav")
    (root / "outside.wav").write_bytes(wav(noise()))
    (links / "outside.wav").symlink_to(root / "outside.wav")
    (root / "elsewhere").mkdir()
    (root / "elsewhere/unseen.wav").write_bytes(wav(noise()))
    (links / "elsewhere").symlink_to(root / "elsewhere")
    (links / "device.wav").symlink_to("/dev/zero")
    (links / "folder.wav").mkdir()
    os.mkfifo(links / "pipe.wav")
    os.link(links / "plain.wav", links / "same.wav")
    write_study(root)
    here = Path.cwd()
    os.chdir(root)
    try:
        assert prepare(root) == 0
    finally:
        os.chdir(here)
    return root


@pytest.mark.parametrize("what", NAMES)
def test_any_name_makes_an_utterance_of_a_safe_name(corpus: Path, what: str) -> None:
    accepted, _ = outcomes(corpus)
    source = printable(f"odd $(touch pwned) 'name'/{NAMES[what]}.wav")
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,139}", accepted[source])


def test_names_start_no_command_and_stay_apart(corpus: Path) -> None:
    accepted, _ = outcomes(corpus)
    assert not list(corpus.rglob("pwned*"))
    assert len({name.lower() for name in accepted.values()}) == len(accepted)
    assert {path.name for path in corpus.iterdir()} == {
        *("in", "out", "study.yaml", "outside.wav", "elsewhere")
    }


@pytest.mark.parametrize("what", CONTENTS)
def test_a_content_is_used_or_rejected_with_its_reason(corpus: Path, what: str) -> None:
    _, reason, suffix = CONTENTS[what]
    accepted, rejected = outcomes(corpus)
    source = f"a/{what}.{suffix}"
    assert rejected.get(source) == reason
    assert (source in accepted) == (reason is None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("itself", "unreadable"),
        ("broken", "unreadable"),
        ("device", "empty"),
        ("pipe", "empty"),
        ("outside", None),
        ("same", None),
    ],
)
def test_links_and_special_files(corpus: Path, name: str, reason: str | None) -> None:
    accepted, rejected = outcomes(corpus)
    assert rejected.get(f"b/{name}.wav") == reason
    assert (f"b/{name}.wav" in accepted) == (reason is None)


def test_linked_folders_are_not_entered(corpus: Path) -> None:
    accepted, rejected = outcomes(corpus)
    sources = [*accepted, *rejected]
    assert not [source for source in sources if "loop" in source or "elsewhere" in source]


def test_all_that_is_accepted_has_the_loudness_or_is_limited(corpus: Path) -> None:
    for name in SPLITS:
        split = Split.open(corpus / "out", name)
        for index, record in enumerate(split.utterances):
            audio = split.audio(index)
            assert np.isfinite(audio).all()
            assert record.loudness == -20.0 or record.peak_limited
            assert 0.9 * RATE < len(audio) < 1.1 * RATE


MANIFESTS: dict[str, tuple[bytes, str | None]] = {
    "missing file": (b"path,speaker\na/plain.wav,x\na/none.wav,y\n", "line 3: .*no such file"),
    "twice": (b"path,speaker\na/plain.wav,x\na/plain.wav,y\n", "line 3: .*listed twice"),
    "twice in other words": (
        b"path,speaker\na/plain.wav,x\na//./plain.wav,y\n",
        "line 3: .*listed twice",
    ),
    "NUL": (b"path,speaker\na/\0.wav,x\n", "line 2|not a readable CSV"),
    "name too long": (b"path,speaker\n" + b"x" * 300 + b".wav,x\n", "line 2: .*no such file"),
    "binary": (bytes(range(256)), "not a readable CSV|needs the columns"),
    "one long line": (b"path,speaker\n" + b"x" * 200_000, "not a readable CSV"),
    "a folder": (b"path,speaker\na,x\n", "line 2: .*no such file"),
    "more cells than columns": (b"path,speaker\na/plain.wav,x,y,z\nb/plain.wav,y\n", "1 speaker|2"),
    "BOM, outside, loop": (
        b"\xef\xbb\xbfpath,speaker,split\r\na/plain.wav,x,train\r\n"
        b'"../outside, ""quoted"".wav",y,validation\r\nb/loop/c/plain.wav,z,test\r\n',
        None,
    ),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    content, message = MANIFESTS[what]
    add_speakers(tmp_path / "in")
    (tmp_path / "in/b/loop").symlink_to(tmp_path / "in")
    (tmp_path / 'outside, "quoted".wav').write_bytes(wav(noise()))
    (tmp_path / "manifest.csv").write_bytes(content)
    write_study(tmp_path, manifest=str(tmp_path / "manifest.csv"))
    status = prepare(tmp_path)
    said = capsys.readouterr().err
    if message is None:
        assert status == 0, said
        accepted, _ = outcomes(tmp_path)
        assert accepted == {
            "a/plain.wav": "a-plain",
            '../outside, "quoted".wav': "outside_quoted_",
            "b/loop/c/plain.wav": "b-loop-c-plain",
        }
    else:
        assert status == 1
        assert re.search(f"^error: .*({message})", said), said
        assert not (tmp_path / "out").exists()


def test_one_speaker_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_speakers(tmp_path / "in/one")
    write_study(tmp_path)
    assert prepare(tmp_path) == 1
    assert "1 speaker (one): too few for 1 validation, 1 test" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def one_of(content: bytes, folder: Path, suffix: str) -> object:
    (folder / f"x.{suffix}").write_bytes(content)
    recording = Recording(f"x.{suffix}", len(content), Label("u", "s", "train", "x", ""))
    return read_files([recording], str(folder), -20.0, min_seconds=0.5, max_seconds=120.0)[0]


@pytest.mark.parametrize(("suffix", "kind"), [("wav", "WAV"), ("flac", "FLAC"), ("ogg", "OGG")])
def test_changed_bytes_are_read_or_rejected(tmp_path: Path, suffix: str, kind: str) -> None:
    """40 files with a few bytes of header or audio changed, or the end cut off."""
    raw = io.BytesIO()
    soundfile.write(raw, noise(), RATE, format=kind)
    good = raw.getvalue()
    rejected = 0
    for seed in range(40):
        rng = random.Random(seed)
        content = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(rng.choice([48, len(content)]))] = rng.randrange(256)
        if rng.random() < 0.2:
            content = content[: rng.randrange(len(content))]
        outcome = one_of(bytes(content), tmp_path, suffix)
        if isinstance(outcome, Rejected):
            rejected += 1
            assert outcome.reason in REASONS
            assert outcome.detail
    assert rejected > 5


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two folders with every name, scored by the command."""
    root = tmp_path_factory.mktemp("scored")
    clean = speech(1.0)
    damaged: dict[str, Callable[[Path], object]] = {
        "cut": lambda path: path.write_bytes(flac(noise(3))[:9000]),
        "text": lambda path: path.write_text("no audio"),
        "loop": lambda path: path.symlink_to(path),
        "pipe": os.mkfifo,
        "channels": lambda path: path.write_bytes(wav(noise(channels=8))),
        "rate": lambda path: path.write_bytes(wav(noise(rate=96_000), 96_000)),
        "inf": lambda path: path.write_bytes(with_sample(np.inf)),
    }
    for folder in ("-reference", "decoded ; rm -rf x"):
        (root / folder).mkdir()
    for name in [*NAMES.values(), *damaged]:
        for folder, audio in (("-reference", clean), ("decoded ; rm -rf x", noisy(clean, 15))):
            (root / folder / f"{name}.wav").write_bytes(wav(audio))
    for name, damage in damaged.items():
        path = root / "decoded ; rm -rf x" / f"{name}.wav"
        path.unlink()
        damage(path)
    (root / "decoded ; rm -rf x" / "again").symlink_to(root)
    here = Path.cwd()
    os.chdir(root)
    try:
        command = ["score", "--reference=./-reference", "--decoded", "decoded ; rm -rf x"]
        command += ["--output", "scores $(touch pwned).csv"]
        assert main([*command, "--metrics", "si_sdr", "--max-failed", "0.5"]) == 0
    finally:
        os.chdir(here)
    assert not (root / "pwned").exists()
    return pd.read_csv(root / "scores $(touch pwned).csv", keep_default_na=False).set_index(
        "utterance"
    )


@pytest.mark.parametrize("what", [name for name in NAMES if name != "dots"])  # it is hidden
def test_any_name_is_scored(scored: pd.DataFrame, what: str) -> None:
    row = scored.loc[NAMES[what].encode(errors="backslashreplace").decode()]
    assert row["status"] == "ok"
    assert float(row["value"]) == pytest.approx(15, abs=0.2)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("cut", "unreadable"),
        ("text", "unreadable"),
        ("loop", "unreadable"),
        ("pipe", "unreadable"),
        ("channels", "channels"),
        ("rate", "sample_rate"),
        ("inf", "nonfinite"),
    ],
)
def test_a_damaged_file_costs_its_own_row(scored: pd.DataFrame, name: str, status: str) -> None:
    assert scored.loc[name, "status"] == status
    assert scored.loc[name, "value"] == ""
    assert scored.loc[name, "message"]
