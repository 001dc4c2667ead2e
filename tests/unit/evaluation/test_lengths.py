"""The length study's decoding: which samples go through the codec, and which are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taae.corpus.store import Split
from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import write_store
from taae.evaluation.decoded_files import Audio
from taae.evaluation.lengths import in_pieces, score_lengths, streams
from taae.evaluation.scoring.score import Scoring
from taae.utils.errors import TaaeError
from tests.unit.evaluation.speechlike import speech

CODES = np.zeros((1, 1), np.uint8)
SCORING = Scoring(["si_sdr", "stoi"], max_failed=1.0, max_seconds=30.0)


def write_corpus(folder: Path, audio: dict[str, np.ndarray]) -> Path:
    """Write a test split whose speakers are the letters that names begin with."""
    with write_store(folder, {}, ["test"]) as store:
        for name, samples in audio.items():
            pcm = np.rint(samples * 32767).astype(np.int16)
            label = Label(name, name[0], "test", "", "")
            store.add(Utterance(label, pcm, -20.0, 0.0, False, 16_000))
    return folder


def utterances(seconds: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: speech(length, place) for place, (name, length) in enumerate(seconds.items())}


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 130))
def test_every_sample_is_decoded_once_in_whole_pieces(
    spoken: int, piece: int, samples: int
) -> None:
    """The stream is what is spoken, over and over."""
    stream, given_pieces = np.arange(spoken, dtype=np.float32), []

    def code(audio: Audio) -> tuple[np.ndarray, Audio]:
        given_pieces.append(audio)
        return CODES, -audio

    decoded = in_pieces(code, stream, piece, samples)
    assert [-value for value in decoded] == [number % spoken for number in range(samples)]
    assert {each.size for each in given_pieces} == {piece}
    assert len(given_pieces) * piece - samples < piece


def test_streams_are_all_that_a_speaker_says(tmp_path: Path) -> None:
    said = utterances({"a-1": 0.7, "b-1": 0.4, "a-2": 0.5})
    split = Split.open(write_corpus(tmp_path, said), "test")
    found = list(streams(split))
    assert [speaker for speaker, _, _ in found] == ["a", "b"]
    (_, name, spoken), _ = found
    assert name == "a-1"
    assert spoken.size == round(1.2 * 16_000)
    np.testing.assert_allclose(spoken[-8000:], said["a-2"], atol=2**-15)


def edges(audio: Audio) -> tuple[np.ndarray, Audio]:
    """Code all but the first 0.1 s of a piece, which is half as loud, for want of context."""
    decoded = audio.copy()
    decoded[:1600] *= 0.5
    return CODES, decoded


def test_lengths_are_scored_on_the_same_samples_in_the_same_cuts(tmp_path: Path) -> None:
    """A piece without an edge is its reference, one with an edge is not: SI-SDR tells."""
    corpus = write_corpus(tmp_path / "corpus", utterances({"a-1": 1.5, "a-2": 1.1, "b-1": 0.9}))
    score_lengths(
        edges,
        corpus,
        [1, 0.5, 2],
        tmp_path / "scores.csv",
        SCORING,
        home=1,
        labels={"run": "007/seed1", "variant": "007", "seed": 1},
    )
    table = pd.read_csv(tmp_path / "scores.csv", dtype={"variant": str})
    assert set(table["variant"]) == {"007"}
    assert list(table.columns[:3]) == ["seconds", "cut", "run"]
    sizes = table.groupby(["seconds", "cut"])["n_ref"].unique().map(list).to_dict()
    assert sizes == {(0.5, 0.5): [8000], (1, 0.5): [8000], (1, 1): [16_000], (2, 1): [16_000]}
    pieces = {
        key: sorted(set(rows["utterance"])) for key, rows in table.groupby(["seconds", "cut"])
    }
    # As long as the longest length of 2 s, whatever there is.
    halves = [f"{name}-{number:04d}" for name in ("a-1", "b-1") for number in range(4)]
    wholes = [f"{name}-{number:04d}" for name in ("a-1", "b-1") for number in range(2)]
    assert pieces == {(0.5, 0.5): halves, (1, 0.5): halves, (1, 1): wholes, (2, 1): wholes}
    assert dict(zip(table["utterance"], table["speaker"], strict=True))["b-1-0001"] == "b"
    exact = table[(table["metric"] == "si_sdr") & (table["status"] == "identical")]
    edged = table[(table["metric"] == "si_sdr") & (table["status"] == "ok")]

    def numbers(rows: pd.DataFrame, seconds: float, cut: float) -> set[str]:
        here = rows[(rows["seconds"] == seconds) & (rows["cut"] == cut)]
        return set(here["utterance"].str[-4:])

    # Every piece of half a second begins with an edge, of those of a second every other one.
    assert numbers(edged, 0.5, 0.5) == {"0000", "0001", "0002", "0003"}
    assert numbers(exact, 0.5, 0.5) == set()
    assert numbers(edged, 1, 0.5) == {"0000", "0002"}
    assert numbers(exact, 1, 0.5) == {"0001", "0003"}
    assert numbers(edged, 1, 1) == {"0000", "0001"}
    assert numbers(edged, 2, 1) == {"0000"}
    assert numbers(exact, 2, 1) == {"0001"}


def test_a_piece_too_short_for_a_metric_has_its_status(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", utterances({"a-1": 1.5}))
    score_lengths(
        edges,
        corpus,
        [1, 0.3],
        tmp_path / "scores.csv",
        SCORING,
        home=1,
        labels={},
    )
    table = pd.read_csv(tmp_path / "scores.csv")
    short = table[(table["metric"] == "stoi") & (table["cut"] == 0.3)]
    assert set(short["status"]) == {"too_short"}
    assert set(short["seconds"]) == {0.3, 1.0}
    assert "ok" in set(table.loc[(table["metric"] == "stoi") & (table["cut"] == 1), "status"])


def test_no_length_is_refused(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", utterances({"a-1": 1.5}))
    with pytest.raises(TaaeError, match="0 s is no length"):
        score_lengths(edges, corpus, [0, 1], tmp_path / "x.csv", SCORING, home=1, labels={})
