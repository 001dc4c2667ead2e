import json
from contextlib import nullcontext

import pytest

from taae.benchmark import score_speed
from taae.benchmark.shared import write_pairs
from taae.evaluation.metrics import COMPUTED, METRICS
from taae.utils.errors import TaaeError
from tests.unit.corpus.corpora import write_corpus
from tests.unit.evaluation.speechlike import speech


def test_the_last_line_is_json_of_rates_that_agree(tmp_path, monkeypatch, capsys):
    corpus = write_corpus(tmp_path / "corpus", {"a": speech(1.0), "b": speech(1.0, 1)})
    monkeypatch.setattr(score_speed, "speech_corpus", lambda: nullcontext(corpus))
    monkeypatch.setattr(score_speed, "JOINED", 1)
    monkeypatch.setattr(score_speed, "ROUNDS", 1)
    monkeypatch.setattr(score_speed, "MEASURED", 2)
    found = {"stoi": 2345.67, "f0_rmse, voicing_error": 40.0}, ["mosnet needs weights"]
    monkeypatch.setattr(score_speed, "family_rates", lambda folder: found)
    score_speed.score(jobs=1)
    captured = capsys.readouterr()
    assert "no speakers" not in captured.err
    printed = captured.out.splitlines()
    figures = json.loads(printed[-1])
    arms = [line.split("  ")[0] for line in printed[1:4]]
    assert arms == ["one after another", "taae, one process", "taae, --jobs 1"]
    assert figures["audio_s"] == 2.0
    assert figures["audio_s_per_cpu_s"] == {"stoi": 2345.7, "f0_rmse, voicing_error": 40.0}
    told = [line.split("  ") for line in printed[5:7]]
    assert [(line[0], line[-1].strip()) for line in told] == [
        ("stoi", "2,345.7"),
        ("f0_rmse, voicing_error", "40.0"),
    ]
    assert printed[7] == "not measured: mosnet needs weights"
    ratio = figures["audio_s_per_s"] / figures["naive_audio_s_per_s"]
    assert figures["speedup"] == pytest.approx(ratio, rel=0.2)  # of rounded figures


def test_families_are_all_metrics_that_are_computed():
    names = [name for family in score_speed.families() for name in family]
    assert names == COMPUTED
    assert ["dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak"] in score_speed.families()


def test_a_family_has_a_rate_or_a_reason(tmp_path, monkeypatch):
    def check(family, *_):
        if family[0] not in ("mel_distance", "stoi", "mosnet"):
            raise TaaeError(f"no {family[0]}")

    monkeypatch.setattr(score_speed, "check_installed", check)
    corpus = write_corpus(tmp_path / "corpus", {"a": speech(1.0), "b": speech(1.0, 1)})
    write_pairs(corpus, tmp_path)
    rates, lacking = score_speed.family_rates(tmp_path)
    assert list(rates) == ["mel_distance, stft_distance", "stoi"]
    assert all(1 < rate < 1e6 for rate in rates.values())
    reasons = {line.split()[1] for line in lacking if line.startswith("no ")}
    missing = {family[0] for family in score_speed.families()} - {"mel_distance", "stoi", "mosnet"}
    assert reasons == missing
    assert lacking[-1] == f"mosnet needs {METRICS['mosnet'].needs}"
