import json
from contextlib import nullcontext

import pytest

from taae.benchmark import score_speed
from tests.unit.corpus.corpora import write_corpus
from tests.unit.evaluation.speechlike import speech


def test_the_last_line_is_json_of_rates_that_agree(tmp_path, monkeypatch, capsys):
    corpus = write_corpus(tmp_path / "corpus", {"a": speech(1.0), "b": speech(1.0, 1)})
    monkeypatch.setattr(score_speed, "speech_corpus", lambda: nullcontext(corpus))
    monkeypatch.setattr(score_speed, "JOINED", 1)
    monkeypatch.setattr(score_speed, "ROUNDS", 1)
    score_speed.score(jobs=1)
    captured = capsys.readouterr()
    assert "no speakers" not in captured.err
    printed = captured.out.splitlines()
    figures = json.loads(printed[-1])
    arms = [line.split("  ")[0] for line in printed[1:4]]
    assert arms == ["one after another", "taae, one process", "taae, --jobs 1"]
    assert figures["audio_s"] == 2.0
    ratio = figures["audio_s_per_s"] / figures["naive_audio_s_per_s"]
    assert figures["speedup"] == pytest.approx(ratio, rel=0.2)  # of rounded figures
