import json

import pytest

from taae.benchmark.score_speed import score
from tests.unit.corpus.corpora import write_corpus
from tests.unit.evaluation.speechlike import speech


def test_the_last_line_is_json_of_rates_that_agree(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus", {"a": speech(1.0), "b": speech(1.0, 1)})
    figures = score(corpus, workers=1, rounds=1)
    captured = capsys.readouterr()
    assert "no speakers" not in captured.err
    printed = captured.out.splitlines()
    assert json.loads(printed[-1]) == figures
    arms = [line.split("  ")[0] for line in printed[1:4]]
    assert arms == ["one after another", "taae, one process", "taae, --jobs 1"]
    assert figures["audio_s"] == 2.0
    ratio = figures["audio_s_per_s"] / figures["naive_audio_s_per_s"]
    assert figures["speedup"] == pytest.approx(ratio, rel=0.2)  # of rounded figures
