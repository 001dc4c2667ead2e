"""A model card says what the model's files and the study's tables say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from taae.analysis.model_card import model_card
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv, write_json
from tests.unit.codec.codecs import codec

PROVENANCE = {
    "variant": {"training": {"steps": 100, "batch": 4, "accumulate": 2, "segment": 4.5}},
    "seed": 3,
    "corpus": "abc" * 16,
    "start": "scratch",
    "precision": "float32",
    "seconds": 7200.0,
    "device": "CPU",
    "code": "0.1.0",
    "git": {"revision": "0123456789abcdef", "dirty": False},
}
SUMMARY = pd.DataFrame(
    {
        "variant": ["mine", "mine", "mine", "other"],
        "metric": ["si_sdr", "stoi", "visqol", "stoi"],
        "n_utterances": 48,
        "n_speakers": 12,
        "n_seeds": 2,
        "mean": [3.456, 0.8762, None, 0.5],
        "low": [2.1, 0.8, None, 0.4],
        "high": [4.9, 0.9, None, 0.6],
        "confidence": 0.95,
    }
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    model = folder / "models" / "mine" / "seed3"
    codec(causal=True).save_pretrained(model)
    write_json(PROVENANCE, model / "provenance.json")
    write_json({**PROVENANCE, "seed": 4}, folder / "models/other/seed4/provenance.json")
    (model / "entropy-models" / "2x15625").mkdir(parents=True)
    (model / "entropy-models" / "2x15625" / "order1.npz").touch()
    write_csv(SUMMARY, folder / "tables" / "summary.csv")
    rows = {"variant": "mine", "seed": [3, 4], "point": "native", "coded_bps": [3333.3, 1.0]}
    write_csv(pd.DataFrame(rows), folder / "tables" / "bitrates.csv")
    train = {"seconds": 36_000, "speakers": 40}
    corpus = {
        "sha256": PROVENANCE["corpus"],
        "settings": {"kind": "librispeech", "loudness": -26.0},
    }
    write_json({**corpus, "splits": {"train": train}}, folder / "corpus" / "corpus.json")
    return folder


def rows(card: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in lines}


def test_a_card_with_results(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "models" / "mine" / "seed3", tmp_path / "copy")
    card = model_card(tmp_path / "copy", "me/codec", results, "cc-by-4.0")
    found = rows(card)
    assert found["speech"] == ["10 h of 40 speakers, LibriSpeech"]
    assert found["steps"] == ["100, 1 hours of segments"]
    assert found["seed"] == ["3"]
    # 500 frames/s of 3 codes: log2(5) bits each, and twice that in two stages of 5 levels.
    assert found["native"] == ["3483", "3333"]
    assert found["2x15625"] == ["6966", "–"]
    assert found["SI-SDR (dB) ↑"] == ["3.46", "2.10 to 4.90"]
    assert found["STOI ↑"] == ["0.876", "0.800 to 0.900"]
    assert not any("ViSQOL" in name for name in found)
    assert "48 utterances of 12 test speakers and 2 trainings (seeds)" in card
    assert "95% confidence" in card
    assert 'from_pretrained("me/codec")' in card
    assert "causal, so that it can stream" in card
    assert "speech at about -26 LUFS" in card


def test_the_hub_can_read_its_metadata(results: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    model = results / "models" / "mine" / "seed3"
    with_licence = hub.ModelCard(model_card(model, "me/codec", licence="mit"))
    assert with_licence.data.license == "mit"
    assert with_licence.data.library_name == "taae"
    without = hub.ModelCard(model_card(model, "me/codec"))
    assert without.data.license is None
    assert "The licence of the weights is not stated here." in without.text


def test_without_results_there_are_no_scores(results: Path) -> None:
    card = model_card(results / "models" / "mine" / "seed3", "me/codec")
    assert rows(card)["speech"] == [f"corpus {'abc' * 4}"]
    assert rows(card)["native"] == ["3483", "–"]
    assert "## Scores" not in card
    assert "speech at about the loudness of its training speech" in card


def test_a_study_without_operating_points_has_no_measured_bitrates(results: Path) -> None:
    (results / "tables" / "bitrates.csv").unlink()
    card = model_card(results / "models" / "mine" / "seed3", "me/codec", results)
    assert rows(card)["native"] == ["3483", "–"]
    assert "## Scores" in card


def test_another_studys_results_are_refused(results: Path, tmp_path: Path) -> None:
    codec().save_pretrained(tmp_path / "stranger")
    write_json({**PROVENANCE, "seed": 5}, tmp_path / "stranger" / "provenance.json")
    with pytest.raises(TaaeError, match="no model with the provenance"):
        model_card(tmp_path / "stranger", "me/codec", results)
    (tmp_path / "stranger" / "provenance.json").unlink()
    with pytest.raises(TaaeError, match=r"stranger/provenance\.json: .* leave out --results"):
        model_card(tmp_path / "stranger", "me/codec", results)


def test_a_model_of_unknown_origin_has_a_card(results: Path, tmp_path: Path) -> None:
    codec().save_pretrained(tmp_path / "found")
    assert "Not known." in model_card(tmp_path / "found", "me/codec")
    write_json({"pretrained": "a/b@c", "source": PROVENANCE}, tmp_path / "found/provenance.json")
    card = rows(model_card(tmp_path / "found", "me/codec"))
    assert card["copy of"] == ["`a/b@c`"]
    assert card["seed"] == ["3"]
    imported = {"source": {"checkpoint": {"file": "model.ckpt"}}, "parameters": 3}
    write_json(imported, tmp_path / "found/provenance.json")
    assert rows(model_card(tmp_path / "found", "me/codec"))["imported from"] == ["`model.ckpt`"]
