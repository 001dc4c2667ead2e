"""WER, CER and dWER: edit distances by an oracle, a recogniser that says what it is told to."""

import csv
import math
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from taae.cli import app
from taae.evaluation.config import ASR
from taae.evaluation.metrics import METRICS
from taae.evaluation.scoring import score as score_module
from taae.evaluation.scoring.heard import hear_references, read_heard, references_of
from taae.evaluation.scoring.recogniser import load_recogniser, loop_in
from taae.evaluation.scoring.score import Scoring, score_folders
from taae.evaluation.scoring.words import edit_distance
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from tests.unit.evaluation.speechlike import RATE, speech

NAMES = ["wer", "cer", "dwer"]
SAID = {"a": "the cat sat", "b": "on the mat all day"}
HUNDRED = ["the"] * 100


@dataclass(frozen=True)
class Fake:
    """Hears the text whose place in `texts` is the signal's level: n steps of 0.05."""

    texts: tuple[str, ...]
    settings: str = "fake"
    version: str = "fake 1"

    def hear(self, signal):
        self.calls.append(signal.size)
        return self.texts[round(float(np.abs(signal).max()) / 0.05)]

    def words(self, text):
        return text.lower().split()

    @property
    def calls(self):
        return calls_of(self.texts)


@cache
def calls_of(texts):
    return []


def write(folder, **levels):
    """Write a second of a tone for each utterance; `hear` gets its level."""
    folder.mkdir(exist_ok=True)
    tone = np.sin(np.arange(RATE) * 0.3)
    tone /= np.abs(tone).max()
    for name, level in levels.items():
        soundfile.write(folder / f"{name}.wav", 0.05 * level * tone, RATE, subtype="FLOAT")


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Score utterances a and b, in which some texts are heard; returns rows by utterance, metric.

    `decoded` and `reference` are places in `texts` from 1 on.
    """
    monkeypatch.setattr(score_module, "check_installed", lambda *given: None)

    def call(texts, decoded, reference=(1, 2), said=SAID, names=NAMES, asr=None, **options):
        fake = Fake(("", *texts))
        fake.calls.clear()
        monkeypatch.setattr(score_module, "load_recogniser", lambda asr: fake)
        write(tmp_path / "reference", **dict(zip("ab", reference, strict=True)))
        write(tmp_path / "decoded", **dict(zip("ab", decoded, strict=True)))
        score_folders(
            tmp_path / "reference", tmp_path / "decoded", tmp_path / "scores.csv",
            Scoring(names, 0.0, 30.0, asr=asr or ASR()), transcripts=said, **options,
        )  # fmt: skip
        rows = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False, na_values=[""])
        return rows.set_index(["utterance", "metric"]), fake

    return call


@cache
def slowly(one, other):
    """Return the edit distance by its definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        slowly(one[1:], other) + 1,
        slowly(one, other[1:]) + 1,
        slowly(one[1:], other[1:]) + (one[0] != other[0]),
    )


class TestEditDistance:
    @given(st.text("abc", max_size=7), st.text("abc", max_size=7))
    def test_it_is_that_of_the_definition(self, one, other):
        assert edit_distance(one, other) == slowly(one, other)
        assert edit_distance(list(one), list(other)) == slowly(one, other)

    @pytest.mark.parametrize(
        ("one", "other", "errors"),
        [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("intention", "execution", 5)],
    )
    def test_of_known_pairs(self, one, other, errors):
        assert edit_distance(one, other) == errors


class TestLoops:
    def test_speech_is_none(self):
        text = "I do not think that anybody in this town has ever seen so large a horse before"
        assert loop_in(text, len(text.split()), 5.0) == ""

    def test_repetitions_are(self):
        assert "repeats" in loop_in(" ".join(HUNDRED), 100, 30.0)

    def test_a_long_text_is_judged_in_pieces(self):
        """Of plain text zlib makes less and less, the longer it is."""
        draws = np.random.default_rng(1)
        known = ["".join(map(chr, 97 + draws.integers(26, size=5))) for _ in range(180)]
        text = " ".join(draws.choice(known, 4000))
        assert len(text.encode()) / len(zlib.compress(text.encode())) > 2.4
        assert loop_in(text, len(text.split()), 1e9) == ""

    def test_more_words_than_anybody_says_are(self):
        assert "24 words a second" in loop_in("any dozen of words", 12, 0.5)


class TestRows:
    def test_errors_are_per_word_and_character_of_what_is_said(self, scored):
        rows, _ = scored(["the cat sat", "on the mat all day", "the cat spat", "on mat"], (3, 4))
        assert rows["value"].to_dict() == pytest.approx({
            ("a", "wer"): 1 / 3, ("a", "cer"): 1 / 11, ("a", "dwer"): 1 / 3,
            ("b", "wer"): 3 / 5, ("b", "cer"): 12 / 18, ("b", "dwer"): 3 / 5,
        })  # fmt: skip
        assert rows["weight"].to_list() == [3, 11, 3, 5, 18, 5]
        assert set(rows["status"]) == {"ok"} and set(rows["settings"]) == {"fake"}

    def test_dwer_is_against_what_is_heard_in_the_reference(self, scored):
        rows, _ = scored(["the bat sat", "on the mat all day", "the bat sat"], (3, 2))
        assert rows.loc[("a", "wer"), "value"] == pytest.approx(1 / 3)
        assert rows.loc[("a", "dwer"), "value"] == 0

    def test_more_words_than_were_said_count_beyond_one(self, scored):
        rows, _ = scored(["the cat sat", "on the mat all day", "now all of this is new"], (3, 2))
        assert rows.loc[("a", "wer"), ["value", "status"]].to_list() == [2.0, "ok"]

    def test_a_loop_counts_as_all_wrong_and_says_so(self, scored):
        texts = ["the cat sat", "on the mat all day", " ".join(HUNDRED)]
        rows, _ = scored(texts, (3, 2))
        for metric in NAMES:
            row = rows.loc[("a", metric)]
            assert row["status"] == "hallucination" and row["value"] == 1
            assert "repeats itself" in row["message"] and row["weight"] > 0

    def test_a_loop_that_begins_well_counts_as_no_more_than_all_wrong(self, scored):
        text = "the cat sat sat sat sat sat sat sat sat sat sat"
        rows, _ = scored(["the cat sat", "on the mat all day", text], (3, 2))
        assert rows.loc[("a", "wer"), ["value", "status"]].to_list() == [1.0, "hallucination"]

    @pytest.mark.parametrize("metric", ["wer", "cer"])
    def test_no_transcript(self, scored, metric):
        rows, _ = scored(["the cat sat", "on the mat"], (1, 2), said={"a": SAID["a"]})
        assert rows.loc[("b", metric), "status"] == "no_transcript"
        assert math.isnan(rows.loc[("b", metric), "value"])
        assert rows.loc[("b", "dwer"), ["value", "status"]].to_list() == [0.0, "ok"]

    def test_nobody_knows_what_is_said(self, scored, capsys):
        rows, _ = scored(["the cat sat", "on the mat"], (1, 2), said={})
        assert set(rows.xs("wer", level="metric")["status"]) == {"no_transcript"}
        assert "wer and cer are left out: no utterance has a transcript" in capsys.readouterr().err

    def test_a_recogniser_that_does_not_understand_the_references_is_no_judge(self, scored, capsys):
        texts = ["a bat at", "mattress"]
        rows, _ = scored(texts, (1, 2))
        wer = rows.xs("wer", level="metric")
        assert set(wer["status"]) == {"unrecognisable"} and wer["value"].isna().all()
        assert "on the references is 1.00, above 0.5" in wer["message"].iloc[0]
        assert set(rows.xs("dwer", level="metric")["status"]) == {"ok"}
        rows, _ = scored(texts, (1, 2), asr=ASR(max_reference_wer=1.0))
        assert set(rows.xs("wer", level="metric")["status"]) == {"ok"}

    @pytest.mark.parametrize(("heard", "why"), [(" ".join(HUNDRED), "repeats"), ("", "no word")])
    def test_a_reference_in_which_nothing_is_heard(self, scored, heard, why):
        rows, _ = scored([heard, SAID["b"], "x"], (3, 2))
        row = rows.loc[("a", "dwer")]
        assert row["status"] == "unrecognisable" and why in row["message"]

    def test_signals_without_speech_have_the_statuses_of_every_metric(self, tmp_path, scored):
        write(tmp_path / "decoded", a=1)
        rows, _ = scored(["the cat sat", "on the mat all day"], (1, 2))
        folder = tmp_path / "decoded"
        for samples, status in {
            (0.0,) * RATE: "ok",  # all words are lost
            (math.nan,) * RATE: "nonfinite",
            (0.1, -0.1) * 600: "too_short",
        }.items():
            for side in ("reference", "decoded"):
                soundfile.write(tmp_path / side / "a.wav", samples, RATE, subtype="FLOAT")
            score_folders(
                tmp_path / "reference", folder, tmp_path / "again.csv",
                Scoring(NAMES, 1.0, 30.0), transcripts=SAID,
            )  # fmt: skip
            rows = pd.read_csv(tmp_path / "again.csv").set_index(["utterance", "metric"])
            assert rows.loc[("a", "wer"), "status"] == status
            if status == "ok":
                assert rows.loc[("a", "wer"), "value"] == 1
                assert rows.loc[("a", "dwer"), "status"] == "silent_ref"
            assert rows.loc[("b", "wer"), "value"] == 0


class TestCache:
    def test_each_signal_is_heard_once_and_texts_may_change(self, tmp_path, scored):
        texts, cache_file = ["the cat sat", "on the mat all day", "the cat spat"], "cache.json"
        first, fake = scored(texts, (3, 2), cache=tmp_path / cache_file)
        assert len(fake.calls) == 4
        heard = hear_references(tmp_path / "reference", SAID, fake)
        write_csv(heard, tmp_path / "heard.csv")
        again, fake = scored(
            texts, (3, 2), cache=tmp_path / cache_file, heard=tmp_path / "heard.csv"
        )
        assert fake.calls == []
        pd.testing.assert_frame_equal(first, again)
        heard = hear_references(tmp_path / "reference", SAID | {"a": "the cat spat"}, fake)
        write_csv(heard, tmp_path / "heard.csv")
        fake.calls.clear()
        other, fake = scored(
            texts, (3, 2), cache=tmp_path / cache_file, heard=tmp_path / "heard.csv"
        )
        assert fake.calls == []
        assert other.loc[("a", "wer"), "value"] == 0
        assert first.loc[("a", "wer"), "value"] > 0

    def test_another_recogniser_hears_anew(self, tmp_path, scored):
        path = tmp_path / "cache.json"
        scored(["the cat sat", "on the mat all day"], (1, 2), cache=path)
        _, fake = scored(["the cat sat", "on the mat all day", "x"], (1, 2), cache=path)
        assert len(fake.calls) == 2  # the references; same settings, same decoded signals
        with pytest.raises(TaaeError, match="another recogniser"):
            write_csv(
                hear_references(tmp_path / "reference", SAID, Fake(("", "x", "y"), "other")),
                tmp_path / "heard.csv",
            )
            read_heard(tmp_path / "heard.csv", fake)


class TestHeard:
    def test_the_references_are_pooled_by_words(self, tmp_path):
        write(tmp_path, a=1, b=2)
        table = hear_references(tmp_path, SAID, Fake(("", "the cat", "on the mat all day")))
        assert table["n_words"].to_list() == [3, 5]
        assert references_of(table).word_error_rate == pytest.approx(1 / 8)

    def test_a_table_comes_back_as_it_was(self, tmp_path):
        write(tmp_path / "audio", a=1, b=0)
        fake = Fake(("", "NA null", "x"))
        table = hear_references(tmp_path / "audio", {"a": "nan"}, fake)
        write_csv(table, tmp_path / "heard.csv")
        assert references_of(read_heard(tmp_path / "heard.csv", fake)) == references_of(table)
        assert table["status"].to_list() == ["ok", "silent_ref"]


class TestModel:
    def test_a_folder_without_a_model_is_told(self, tmp_path):
        pytest.importorskip("faster_whisper")
        with pytest.raises(TaaeError, match=r"metrics.asr.model: .* has no model.bin"):
            load_recogniser(ASR(model=str(tmp_path)))

    @pytest.fixture
    def whisper(self):
        for name in METRICS["wer"].modules:
            pytest.importorskip(name)
        return load_recogniser(ASR())

    def test_a_language_that_it_does_not_know_is_told(self, whisper):
        with pytest.raises(TaaeError, match=r"metrics.asr.language: .* does not know 'de'"):
            load_recogniser(ASR(language="de"))

    def test_it_is_faster_whisper_without_fallbacks(self, whisper):
        import faster_whisper

        signal = speech(1.5)
        model = faster_whisper.WhisperModel(str(whisper.folder), compute_type="float32")
        found, _ = model.transcribe(
            signal.astype(np.float32), beam_size=5, temperature=0.0, without_timestamps=True,
            condition_on_previous_text=False, language="en", no_speech_threshold=None,
            log_prob_threshold=None, compression_ratio_threshold=None,
        )  # fmt: skip
        assert whisper.hear(signal) == " ".join(piece.text.strip() for piece in found)

    def test_words_are_made_alike(self, whisper):
        one = whisper.words("MISTER QUILTER'S COLOUR WAS TWENTY THREE, WE'LL SEE... —")
        assert one == whisper.words("Mr. Quilter's color was 23. We will see")

    def test_the_settings_name_model_and_decoding(self, whisper):
        assert whisper.settings.startswith("tiny.en-")
        assert "float32 beam5" in whisper.settings and "normalizer" in whisper.settings

    def test_by_hand(self, whisper, tmp_path, monkeypatch):
        """Speech against itself has no errors, whatever is heard in it."""
        for side in ("clean", "decoded"):
            (tmp_path / side).mkdir()
            soundfile.write(tmp_path / side / "a.wav", speech(1.5), RATE)
        heard = whisper.hear(soundfile.read(tmp_path / "clean" / "a.wav")[0])
        with (tmp_path / "manifest.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["utterance", "speaker", "text"], ["a", "s", heard]])
        words = whisper.words(heard)
        monkeypatch.chdir(tmp_path)
        folders = ["--reference", "clean", "--decoded", "decoded", "--manifest", "manifest.csv"]
        metrics = ["--metrics", "wer", "dwer", "--max-failed", "1"]
        app(["score", *folders, *metrics, "--output", "s.csv"], result_action="return_value")
        rows = pd.read_csv("s.csv").set_index("metric")
        if words:
            assert rows["value"].to_list() == [0, 0]
            assert rows["weight"].to_list() == [len(words)] * 2
