import collections
import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pesq as pesq_package
import pystoi
import pytest
import soundfile
from scipy.signal import resample_poly

from taae.cli import main as cli
from taae.evaluation.metrics import COMPUTED, METRICS, STANDARD
from taae.evaluation.scoring import cache as cache_module
from taae.evaluation.scoring import mosnet, scorers
from taae.evaluation.scoring.error_rates import ERROR_RATES
from taae.evaluation.scoring.mosnet import read_weights
from taae.evaluation.scoring.score import COLUMNS, Scoring, score_folders
from taae.evaluation.scoring.scorers import SCORERS
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv
from tests.unit.evaluation import test_mosnet as mosnet_file
from tests.unit.evaluation.speechlike import RATE, bursts, noisy, speech

QUICK = ["si_sdr", "mel_distance", "stft_distance"]
NAMES = [name for name in STANDARD if name != "mosnet"]  # which needs a file
DAC = ["mel_distance_dac", "stft_distance_dac"]
INTRUSIVE = [name for name in NAMES if not name.startswith("dnsmos")]
LIMITS = {"max_failed": 1.0, "max_seconds": 30.0}


class Folders:
    """A reference and a decoded folder, and what scoring them writes."""

    def __init__(self, root: Path) -> None:
        self.reference, self.decoded = root / "reference", root / "decoded"
        self.output = root / "scores.csv"
        for folder in (self.reference, self.decoded):
            folder.mkdir()

    def add(self, name, reference, degraded, rate=RATE):
        soundfile.write(self.reference / f"{name}.wav", reference, RATE, subtype="FLOAT")
        soundfile.write(self.decoded / f"{name}.wav", degraded, rate, subtype="FLOAT")

    def score(self, names, **options):
        options = LIMITS | options
        own = {field.name for field in dataclasses.fields(Scoring)}
        scoring = Scoring(names, **{key: options.pop(key) for key in own & options.keys()})
        score_folders(self.reference, self.decoded, self.output, scoring, **options)
        return pd.read_csv(self.output, keep_default_na=False, na_values={"value": [""]})


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path)


def test_scorers_are_in_the_order_of_the_metrics():
    found = [name for scorer in SCORERS for name in scorer.metrics]
    assert found == [name for name in COMPUTED if name not in ERROR_RATES]  # a recogniser's


def test_each_defect_has_its_status_and_all_other_rows_survive(folders):
    clean = speech(2.5)  # doubled to 10 s: one window of DNSMOS
    degraded = noisy(clean, 15)
    broken, half_volume = degraded.copy(), degraded.copy()
    broken[7] = np.nan
    half_volume[9] = 1.7
    folders.add("clipped", clean, half_volume)
    folders.add("empty", np.zeros(0), np.zeros(0))
    folders.add("good", clean, degraded)
    folders.add("half", clean, degraded[: clean.size // 2])
    folders.add("identical", clean, clean)
    folders.add("nan", clean, broken)
    folders.add("nan_ref", broken, degraded)
    folders.add("rate", clean, degraded, rate=24_000)
    folders.add("short", speech(0.1), noisy(speech(0.1), 15))
    folders.add("shortish", speech(0.4), noisy(speech(0.4), 15))
    folders.add("silent_deg", clean, np.zeros_like(clean))
    folders.add("silent_ref", np.zeros_like(clean), degraded)
    folders.add("stereo", clean, np.stack([degraded, degraded], axis=1))
    for name, content in {"missing": None, "zero_bytes": b"", "no_audio": b"RIFFnonsense"}.items():
        folders.add(name, clean, degraded)
        path = folders.decoded / f"{name}.wav"
        path.unlink() if content is None else path.write_bytes(content)

    def all_are(status):
        return dict.fromkeys(NAMES, status)

    expected = {
        "clipped": all_are("ok"),
        "empty": all_are("too_short"),
        "good": all_are("ok"),
        "half": all_are("len_mismatch"),
        "identical": all_are("ok") | {"si_sdr": "identical"},
        "missing": all_are("missing"),
        "nan": all_are("nonfinite"),
        "nan_ref": all_are("ok") | dict.fromkeys(INTRUSIVE, "nonfinite"),
        "no_audio": all_are("unreadable"),
        "rate": all_are("sample_rate"),
        "short": all_are("ok")
        | dict.fromkeys([*DAC, "pesq_wb", "pesq_nb", "stoi", "estoi"], "too_short"),
        "shortish": all_are("ok") | dict.fromkeys(["stoi", "estoi"], "too_short"),
        "silent_deg": all_are("silent_deg"),
        "silent_ref": all_are("ok") | dict.fromkeys(INTRUSIVE, "silent_ref"),
        "stereo": all_are("channels"),
        "zero_bytes": all_are("unreadable"),
    }
    table = folders.score(NAMES, labels={"run": "baseline/seed1", "seed": 1})
    assert list(table) == COLUMNS
    found = {
        name: dict(zip(rows.metric, rows.status, strict=True))
        for name, rows in table.groupby("utterance")
    }
    assert found == expected
    assert list(table.utterance.unique()) == sorted(expected)
    assert all(list(rows.metric) == NAMES for _, rows in table.groupby("utterance"))
    has_value = table.status.isin(["ok", "identical"])
    assert (table.value.notna() == has_value).all()
    assert ((table.message == "") == (table.status == "ok")).all()
    assert set(table.run) == {"baseline/seed1"}
    assert set(table.seed) == {1}
    assert set(table.variant) == {"decoded"}
    assert set(table.split) == {""}

    values = table.set_index(["utterance", "metric"]).value
    same = values["identical"]
    assert same["si_sdr"] == np.inf
    assert same["mel_distance"] == same["stft_distance"] == 0
    assert same["pesq_wb"] == pytest.approx(4.644, abs=5e-4)
    assert same["stoi"] == pytest.approx(1)
    assert values["good"]["si_sdr"] == pytest.approx(15, abs=0.1)
    assert set(table[table.utterance == "clipped"].n_clipped) == {"1"}
    assert set(table[table.utterance == "good"].n_clipped) == {"0"}


def test_odd_signals_are_scored_or_say_why_not(folders):
    clean = speech(2.5)
    degraded = noisy(clean, 15)
    infinite = degraded.copy()
    infinite[3] = -np.inf
    late = np.concatenate([np.zeros(100), degraded[:-100]])
    one_up = np.append(degraded, 0.0)
    square = np.sign(np.sin(2 * np.pi * 220 * np.arange(clean.size) / RATE))
    folders.add("constant", clean, np.full_like(clean, 0.3))
    folders.add("good", clean, degraded)
    folders.add("infinite", clean, infinite)
    folders.add("inverted", clean, -degraded)
    folders.add("late", clean, late)
    folders.add("longer", clean, one_up)
    folders.add("sample", np.full(1, 0.2), np.full(1, 0.1))
    folders.add("shorter", clean, degraded[:-1])
    folders.add("square", clean, square)
    table = folders.score(NAMES)
    found = table.pivot_table(index="utterance", columns="metric", values="status", aggfunc="first")
    ok = ["good", "inverted", "late", "longer", "shorter", "square"]
    assert (found.loc[ok] == "ok").all(axis=None)
    assert (found.loc["constant"] == "silent_deg").all()
    assert (found.loc["infinite"] == "nonfinite").all()
    assert found.loc["sample", ["si_sdr", "dnsmos_p808"]].tolist() == ["silent_ref", "silent_deg"]
    assert set(found.loc["sample", ["stft_distance", "pesq_wb", "stoi"]]) == {"too_short"}

    counts = table.groupby("utterance")[["lag_samples", "n_trimmed", "n_clipped"]].first()
    counts = counts.loc[ok].astype(int)
    assert counts.loc["late"].tolist() == [100, 0, 0]
    assert counts.loc["longer"].tolist() == counts.loc["shorter"].tolist() == [0, 1, 0]
    values = table.pivot_table(index="utterance", columns="metric", values="value")
    blind = ["si_sdr", "mel_distance", "stoi", "dnsmos_sig"]  # to the sign
    assert values.loc["inverted", blind].tolist() == pytest.approx(values.loc["good", blind])
    assert values["si_sdr"]["late"] < values["si_sdr"]["good"] - 5  # nothing is aligned


def swapped_and_not(folders, clean, degraded):
    """Score a pair, and the same with its sides exchanged; return metric -> value of each."""
    folders.add("right", clean, degraded)
    folders.add("swapped", degraded, clean)
    table = folders.score(["pesq_wb", "pesq_nb", "stoi", "estoi"])
    return (table[table.utterance == name].set_index("metric").value for name in
            ("right", "swapped"))  # fmt: skip


def test_the_reference_comes_first(folders):
    clean = speech(3.0).astype(np.float32).astype(np.float64)
    degraded = noisy(clean, 15).astype(np.float32).astype(np.float64)
    right, swapped = swapped_and_not(folders, clean, degraded)
    for found, pair in ((right, (clean, degraded)), (swapped, (degraded, clean))):
        for mode in ("wb", "nb"):
            assert found[f"pesq_{mode}"] == pytest.approx(pesq_package.pesq(RATE, *pair, mode))
        assert found["stoi"] == pytest.approx(pystoi.stoi(*pair, RATE))
        assert found["estoi"] == pytest.approx(pystoi.stoi(*pair, RATE, extended=True))
    assert abs(right - swapped).min() > 1e-3  # all would show an exchange
    assert abs(right["pesq_wb"] - swapped["pesq_wb"]) > 0.05


@pytest.mark.outside
def test_values_of_a_known_utterance(folders):
    """Measured with pesq 0.0.4 and pystoi 0.4.1; draws of noise differ by a tenth of the gap."""
    path = Path(os.environ.get("TAAE_SPEECH", ".")) / "LJ001-0004.flac"
    if not path.is_file():
        pytest.skip("TAAE_SPEECH names no folder that holds LJ001-0004.flac of LJ Speech")
    recording, rate = soundfile.read(path, dtype="float32")
    assert rate == 22_050
    clean = resample_poly(recording, 320, 441).astype(np.float64)
    right, swapped = swapped_and_not(folders, clean, noisy(clean, 15))
    assert [right["pesq_wb"], swapped["pesq_wb"]] == pytest.approx([1.177, 1.266], abs=0.02)
    assert [right["stoi"], swapped["stoi"]] == pytest.approx([0.935, 0.889], abs=0.01)


def test_half_the_volume_in_closed_form(folders):
    noise = 0.1 * np.random.default_rng(0).normal(size=RATE)
    folders.add("a", noise, 0.5 * noise)
    values = folders.score(QUICK).set_index("metric").value
    assert values["mel_distance"] == pytest.approx(0.5 + np.log(2), rel=1e-5)
    assert values["stft_distance"] == pytest.approx(0.5 + np.log(2), rel=1e-5)


def test_a_crash_costs_one_value(folders):
    folders.add("a", speech(1.0), noisy(speech(1.0), 10))
    folders.add("b", bursts(), noisy(bursts(), 30))
    folders.add("c", speech(1.0), noisy(speech(1.0), 10))
    table = folders.score(["si_sdr", "pesq_wb", "stoi"], max_seconds=60)
    failed = table[table.status != "ok"]
    found = failed[["utterance", "metric", "status"]].to_numpy().tolist()
    assert found == [["b", "pesq_wb", "crash"]]
    first, _, last = table.value[table.metric == "pesq_wb"]
    assert first == last


def test_only_pesq_has_a_longest_utterance(folders):
    folders.add("a", speech(1.0), noisy(speech(1.0), 10))
    names = ["si_sdr", "pesq_wb", "pesq_nb", "stoi"]
    table = folders.score(names, max_seconds=0.9)
    assert list(table.status) == ["ok", "too_long", "too_long", "ok"]
    folders.add("a", bursts()[: 31 * RATE], noisy(bursts()[: 31 * RATE], 10))
    assert list(folders.score(names).status) == ["ok", "too_long", "too_long", "ok"]


def test_a_value_that_is_not_defined_is_degenerate(folders):
    click = np.tile([0.5, -0.5], 1000)
    folders.add("a", np.concatenate([click, 0 * click]), np.concatenate([0 * click, click]))
    table = folders.score(["si_sdr"])
    assert list(table.status) == ["degenerate"]
    assert table.value.isna().all()


def test_workers_change_nothing(folders):
    for seed in range(3):
        folders.add(f"{seed}", speech(1.0, seed), noisy(speech(1.0, seed), 10))
    names = ["estoi", "pesq_nb", "si_sdr"]
    alone = folders.score(names, workers=1)
    together = folders.score(names, workers=2)
    pd.testing.assert_frame_equal(alone.drop(columns="cpu_s"), together.drop(columns="cpu_s"))
    assert list(alone.metric[:3]) == ["si_sdr", "pesq_nb", "estoi"]


def test_too_many_failures_leave_the_old_scores(folders):
    for name in "abcdefg":
        folders.add(name, speech(0.2), noisy(speech(0.2), 10))
    folders.score(QUICK)
    before = folders.output.read_text()
    for name in "bcdefg":
        folders.add(name, speech(0.2), np.zeros(3200))
    with pytest.raises(TaaeError, match=r"mel_distance silent_deg 6.*b, c, d, e, f and 1 more"):
        folders.score(QUICK, max_failed=0.8)
    assert folders.output.read_text() == before
    suspect = folders.output.with_name("scores.failed.csv")
    assert (pd.read_csv(suspect).status == "silent_deg").sum() == 18
    folders.score(QUICK, max_failed=0.9)
    assert folders.output.read_text() != before
    assert not suspect.exists()


def test_one_metric_that_fails_is_not_hidden_by_the_others(folders):
    folders.add("a", speech(0.2), noisy(speech(0.2), 10))
    with pytest.raises(TaaeError, match="stoi too_short 1"):
        folders.score([*QUICK, "stoi"], max_failed=0.5)


def test_two_folders_are_scored_and_compared_without_any_label(tmp_path, capsys):
    for level in ("quiet", "noisy"):
        for speaker in ("Ann", "Ben", "Cy"):
            for number in range(2):
                clean = speech(0.3, number)
                pair = {"clean": clean, level: noisy(clean, 20 if level == "quiet" else 5, number)}
                for folder, audio in pair.items():
                    path = tmp_path / folder / speaker / f"{number}.wav"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    soundfile.write(path, audio, RATE)
        assert cli([
            "score", "--reference", str(tmp_path / "clean"), "--decoded", str(tmp_path / level),
            "--output", str(tmp_path / f"{level}.csv"), "--metrics", "si_sdr", "--jobs", "1",
        ]) == 0  # fmt: skip
    output = tmp_path / "comparisons.csv"
    scores = [str(tmp_path / "quiet.csv"), str(tmp_path / "noisy.csv")]
    assert (
        cli(["compare", "--scores", *scores, "--baseline", "quiet", "--output", str(output)]) == 0
    )
    (row,) = pd.read_csv(output).to_dict("records")
    assert (row["variant"], row["reference"], row["metric"]) == ("noisy", "quiet", "si_sdr")
    assert row["n_speakers"] == 3
    assert row["difference"] == pytest.approx(-15, abs=0.1)
    assert "no speakers" not in capsys.readouterr().err


def test_names_are_kept_from_the_files_to_the_comparison(tmp_path):
    """Whatever they look like to who reads tables: missing values, numbers, lines, quotes."""
    speakers = ("NA", "null", "1e5", "007", 'a "b", c', "\u00e9\u65e5")
    for speaker in speakers:
        for number, name in enumerate(("nan", "1", "two\nlines")):
            clean = speech(0.3, number)
            folders = {"clean": clean, "one": noisy(clean, 20, len(speaker)),
                       "two": noisy(clean, 5, 1)[:-200]}  # fmt: skip
            for folder, audio in folders.items():
                path = tmp_path / folder / speaker / f"{name}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, audio, RATE)
    common = ["--reference", str(tmp_path / "clean"), "--metrics", "si_sdr", "--jobs", "1"]
    scores = [str(tmp_path / "one.csv"), str(tmp_path / "two.csv")]
    for name, output in zip(("one", "two"), scores, strict=True):
        decoded = ["--decoded", str(tmp_path / name), "--output", output]
        assert cli(["score", *common, *decoded]) == 0
    output = tmp_path / "comparisons.csv"
    assert cli(["compare", "--scores", *scores, "--baseline", "one", "--output", str(output)]) == 0
    (row,) = pd.read_csv(output).to_dict("records")
    assert (row["n_speakers"], row["n_utterances"], row["n_excluded"]) == (6, 18, 0)
    assert row["difference"] == pytest.approx(-15, abs=0.5)
    table = read_csv(Path(scores[1]), COLUMNS, ["speaker", "utterance"])
    assert set(table.speaker) == set(speakers)
    assert set(table.n_trimmed) == {200}
    strict = ["--decoded", str(tmp_path / "two"), "--max-failed", "1", "--max-trim", "199"]
    assert cli(["score", *common, *strict, "--output", scores[1]]) == 0
    assert set(pd.read_csv(scores[1]).status) == {"len_mismatch"}


def test_two_folders_of_one_name_are_not_mixed_up(tmp_path, capsys):
    clean = speech(0.3)
    for folder in ("clean", "a/audio", "b/audio"):
        path = tmp_path / folder / "Ann" / "1.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, noisy(clean, 20), RATE)
    scores = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    for name, output in zip("ab", scores, strict=True):
        assert cli([
            "score", "--reference", str(tmp_path / "clean"), "--output", output, "--jobs", "1",
            "--decoded", str(tmp_path / name / "audio"), "--metrics", "stft_distance",
            "--run", name,
        ]) == 0  # fmt: skip
    output = ["--output", str(tmp_path / "c.csv")]
    assert cli(["compare", "--scores", *scores, "--baseline", "audio", *output]) == 1
    message = capsys.readouterr().err
    assert "variant 'audio' with seed 0 has" in message
    assert "twice, from a, b; give each score file once" in message


def test_that_no_speaker_is_known_is_told(folders, capsys):
    for name in "ab":
        folders.add(name, speech(0.2), noisy(speech(0.2), 10))
    folders.score(["si_sdr"])
    assert "no speakers are known, so nothing can be tested" in capsys.readouterr().err


def test_an_unknown_metric_is_named(folders):
    folders.add("a", speech(0.2), speech(0.2))
    with pytest.raises(TaaeError, match="no metric mos; there are si_sdr"):
        folders.score(["si_sdr", "mos"])


def test_mosnet_without_weights_is_left_out_and_told(folders, capsys):
    folders.add("a", speech(0.2), noisy(speech(0.2), 10))
    table = folders.score(["si_sdr", "mosnet"])
    assert list(table.metric) == ["si_sdr"]
    assert "mosnet is left out. MOSNet needs its published weights" in capsys.readouterr().err
    with pytest.raises(TaaeError, match="no metric to score"):
        folders.score(["mosnet"])


def test_mosnet_is_scored_with_its_weights_and_a_wrong_file_is_told_at_once(
    folders, tmp_path, monkeypatch
):
    folders.add("a", speech(0.3), noisy(speech(0.3), 10))
    weights = tmp_path / "cnn_blstm.h5"
    expected = mosnet_file.write(weights, mosnet_file.random_layers())
    with pytest.raises(TaaeError, match="not the published weights"):
        folders.score(["mosnet"], mosnet_weights=weights)
    assert not folders.output.exists()
    monkeypatch.setattr(mosnet, "read_weights", lambda path: read_weights(path, expected))
    row = folders.score(["mosnet"], mosnet_weights=weights).iloc[0]
    assert row.status == "ok"
    assert row.settings == "cnn_blstm-560a12c9"
    degraded, _ = soundfile.read(folders.decoded / "a.wav")
    assert row.value == mosnet.mosnet(degraded, weights)


class TestCache:
    """What is computed again, by what the metrics are asked for."""

    @pytest.fixture
    def asked(self, monkeypatch):
        counts = collections.Counter()
        for index, scorer in enumerate(SCORERS):

            def count(*signals, scorer=scorer):
                counts[scorer.metrics[0]] += 1
                return scorer.compute(*signals)

            replaced = [*scorers.SCORERS]
            replaced[index] = dataclasses.replace(scorer, compute=count)
            monkeypatch.setattr(scorers, "SCORERS", tuple(replaced))
        return counts

    def test_a_new_metric_alone_is_computed(self, folders, asked, tmp_path):
        for name in "ab":
            folders.add(name, speech(0.5), noisy(speech(0.5), 10))
        cache = tmp_path / "state/cache.json"
        plain = folders.score([*QUICK, "stoi"])
        asked.clear()
        first = folders.score(QUICK, cache=cache)
        assert asked == {"si_sdr": 2, "mel_distance": 2}  # the STFT distance comes with it
        asked.clear()
        second = folders.score([*QUICK, "stoi"], cache=cache)
        assert asked == {"stoi": 2}
        drop = "cpu_s"
        pd.testing.assert_frame_equal(second.drop(columns=drop), plain.drop(columns=drop))
        kept = second[second.metric != "stoi"].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, first)  # of the first time, the CPU time too

    def test_other_signals_are_scored_anew(self, folders, asked, tmp_path):
        cache = tmp_path / "cache.json"
        for name in "ab":
            folders.add(name, speech(0.5), noisy(speech(0.5), 10))
        folders.score(["si_sdr"], cache=cache)
        folders.add("b", speech(0.5), noisy(speech(0.5), 10, seed=7))
        asked.clear()
        table = folders.score(["si_sdr"], cache=cache)
        assert asked == {"si_sdr": 1}
        assert table.value.nunique() == 2

    def test_reference_and_decoded_exchanged_are_other_signals(self, folders, tmp_path):
        folders.add("a", speech(0.5), noisy(speech(0.5), 10))
        first = folders.score(["mel_distance"], cache=tmp_path / "cache.json")
        folders.add("a", noisy(speech(0.5), 10), speech(0.5))
        second = folders.score(["mel_distance"], cache=tmp_path / "cache.json")
        assert first.value[0] != second.value[0]

    @pytest.mark.parametrize("how", ["settings", "version", "code"])
    def test_another_definition_is_computed(self, folders, asked, tmp_path, monkeypatch, how):
        folders.add("a", speech(0.5), noisy(speech(0.5), 10))
        folders.score(["stoi"], cache=tmp_path / "cache.json")
        if how == "settings":
            other = dataclasses.replace(METRICS["stoi"], settings="other")
            monkeypatch.setitem(METRICS, "stoi", other)
        elif how == "version":
            monkeypatch.setattr(scorers, "version", lambda package: "9.9")
        else:
            monkeypatch.setattr(cache_module, "_code", lambda: b"edited")
        asked.clear()
        folders.score(["stoi"], cache=tmp_path / "cache.json")
        assert asked == {"stoi": 1}

    def test_a_limit_holds_for_cached_values_too(self, folders, tmp_path):
        folders.add("a", speech(0.5), noisy(speech(0.5), 10))
        assert folders.score(["pesq_wb"], cache=tmp_path / "cache.json").status[0] == "ok"
        table = folders.score(["pesq_wb"], cache=tmp_path / "cache.json", max_seconds=0.4)
        assert table.status[0] == "too_long"

    @pytest.mark.parametrize(
        "content",
        [b"", b"\xff", b"[]", b'{"a": 1', b'{"a": 3}', b'{"a": {"x": 3}}',
         b'{"a": {"x": {"k": [1]}}}', b'{"a": {"x": {"k": [1, "y"]}}}'],
    )  # fmt: skip
    def test_a_broken_cache_is_ignored_and_replaced(self, folders, tmp_path, capsys, content):
        folders.add("a", speech(0.2), noisy(speech(0.2), 10))
        cache = tmp_path / "cache.json"
        cache.write_bytes(content)
        value = folders.score(["si_sdr"], cache=cache).value[0]
        assert "not a readable cache" in capsys.readouterr().err
        assert value == folders.score(["si_sdr"]).value[0]
        assert list(cache_module.read_cache(cache)) == ["a"]

    def test_failures_are_not_kept(self, folders, tmp_path):
        folders.add("a", speech(0.2), np.zeros(3200))
        folders.score(["si_sdr"], cache=tmp_path / "cache.json")
        (values,) = cache_module.read_cache(tmp_path / "cache.json")["a"].values()
        assert values == {}


def test_a_codec_that_is_not_installed_has_rows_that_say_so(folders):
    folders.add("b", speech(0.2), np.zeros(3200))
    folders.add("a", speech(0.2), np.zeros(3200))
    folders.score(
        ["stoi", "si_sdr", "mosnet"], absent="no opusenc", speakers={"a": "Ann"},
        labels={"variant": "opus", "seed": 0}, max_failed=0.0,
    )  # fmt: skip
    table = pd.read_csv(folders.output)
    assert list(table) == COLUMNS
    assert list(zip(table.utterance, table.metric, strict=True)) == [
        (name, metric) for name in "ab" for metric in ("si_sdr", "stoi")
    ]
    assert set(table.status) == {"not_installed"}
    assert set(table.message) == {"no opusenc"}
    assert list(table.speaker) == ["Ann"] * 2 + ["unknown"] * 2
    assert table.value.isna().all()
