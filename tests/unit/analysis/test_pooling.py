"""Rates are pooled by what they are shares of; other metrics are averaged as if there were none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taae.analysis.pooling import pooled
from taae.analysis.run_files import SCORE_COLUMNS, collect, usable
from taae.analysis.statistics import compare, mean_interval
from taae.analysis.tables.bd_rate import Spent
from taae.analysis.tables.comparisons import comparisons, noise_table
from taae.analysis.tables.recognition import remarks
from taae.analysis.tables.scores import failures, summary
from taae.study.config import Statistics
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from tests.unit.analysis.fake_scores import fake_scores, study

STATISTICS = Statistics(resamples=50)
REFERENCE = {"a": [(1, 10), (2, 40)], "b": [(0, 5), (4, 8)], "c": [(1, 1), (3, 30)]}
VARIANT = {"a": [(3, 10), (2, 40)], "b": [(1, 5), (4, 8)], "c": [(1, 1), (9, 30)]}
COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=6)


def rates(speakers, seed=1):
    """Return rows of word error rates from (errors, words) by speaker and utterance."""
    rows = [
        (seed, speaker, f"{speaker}-{number}", errors / words, words)
        for speaker, counts in speakers.items()
        for number, (errors, words) in enumerate(counts)
    ]
    return pd.DataFrame(rows, columns=["seed", "speaker", "utterance", "value", "weight"])


def rate(counts):
    return sum(errors for errors, _ in counts) / sum(words for _, words in counts)


def scores(rows, variant, metric="wer", status="ok", message=""):
    return rows.assign(
        variant=variant, run=f"{variant}/seed1", metric=metric, settings="s", status=status,
        message=message, bitrate=1000.0,
    )  # fmt: skip


class TestPooled:
    @given(st.dictionaries(st.sampled_from("abc"), COUNTS, min_size=1))
    def test_a_rate_is_all_errors_by_all_words(self, speakers):
        found = pooled(rates(speakers), ["speaker"])
        expected = {speaker: rate(counts) for speaker, counts in speakers.items()}
        assert found.to_dict() == pytest.approx(expected)

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
    def test_without_weights_it_is_the_mean_to_the_last_bit(self, values):
        rows = pd.DataFrame({"speaker": ["a", "b"] * len(values), "value": np.repeat(values, 2)})
        plain = rows.groupby("speaker")["value"].mean()
        pd.testing.assert_series_equal(pooled(rows, ["speaker"]), plain, check_exact=True)
        empty = rows.assign(weight=np.nan)
        pd.testing.assert_series_equal(pooled(empty, ["speaker"]), plain, check_exact=True)


class TestStatistics:
    def test_a_mean_is_of_the_speakers_rates(self):
        found = mean_interval(rates(REFERENCE), STATISTICS)
        assert found.mean == pytest.approx(np.mean([rate(c) for c in REFERENCE.values()]))

    def test_a_difference_is_that_of_the_speakers_rates(self):
        found = compare(rates(VARIANT), rates(REFERENCE), STATISTICS)
        speakers = [rate(VARIANT[s]) - rate(REFERENCE[s]) for s in "abc"]
        assert found.mean == pytest.approx(np.mean(speakers))
        spread = np.std(speakers, ddof=1) / np.sqrt(3)
        assert found.statistic == pytest.approx(np.mean(speakers) / spread)

    def test_it_is_over_the_utterances_that_both_have(self):
        short = rates(VARIANT).query("utterance != 'a-1'")
        found = compare(short, rates(REFERENCE), STATISTICS)
        other = compare(rates(REFERENCE), short, STATISTICS)
        mine = {**VARIANT, "a": VARIANT["a"][:1]}
        his = {**REFERENCE, "a": REFERENCE["a"][:1]}
        expected = np.mean([rate(mine[s]) - rate(his[s]) for s in "abc"])
        assert found.mean == pytest.approx(expected) == pytest.approx(-other.mean)
        assert (found.n_utterances, found.n_excluded) == (5, 1)

    def test_noise_of_training_and_differences_are_those_of_the_rates(self):
        """Utterances of a speaker and one utterance with their rate say the same."""
        here, draw = study(resamples=50), np.random.default_rng(5)
        here = replace(here, seeds=[1, 2], metrics=replace(here.metrics, names=["wer"]))
        words = {speaker: draw.integers(5, 40, 3) for speaker in "abcdef"}
        apart, together = [], []
        for variant in here.variants:
            for seed in here.seeds:
                counts = {s: [(draw.integers(0, n + 1), n) for n in words[s]] for s in words}
                whole = {
                    s: [(sum(e for e, _ in c), sum(n for _, n in c))] for s, c in counts.items()
                }
                apart.append(scores(rates(counts, seed), variant))
                together.append(scores(rates(whole, seed), variant))
        for make, column in ((noise_table, "noise"), (comparisons, "difference")):
            one, other = (make(pd.concat(rows), here) for rows in (apart, together))
            assert len(one) and one[column].notna().all()
            assert one[column].to_list() == pytest.approx(other[column].to_list())

    def test_points_of_a_curve_are_rates(self):
        rows = rates(REFERENCE).set_index(["speaker", "utterance"])
        quality = rows[["value"]].set_axis(["native"], axis=1)
        spent = Spent(quality, quality, rows["weight"], rows["weight"])
        found = spent.at(quality.index).quality
        assert found[0] == pytest.approx([rate(counts) for counts in REFERENCE.values()])

    def test_tables_of_metrics_without_weights_are_the_same_to_the_byte(self):
        plain, here = fake_scores(seeds=(1, 2, 3), speakers=6), study(resamples=50)
        for make in (summary, comparisons, noise_table, lambda s, _: failures(s)):
            tables = [make(rows, here) for rows in (plain, plain.assign(weight=np.nan))]
            assert tables[0].to_csv() == tables[1].to_csv()


class TestCollected:
    def files(self, tmp_path, *tables):
        paths = []
        for number, table in enumerate(tables):
            paths.append(tmp_path / f"{number}.csv")
            write_csv(table, paths[-1])
        return paths

    def test_rates_against_several_transcripts_are_refused(self, tmp_path):
        one = scores(rates({"a": [(1, 10)]}), "one")
        other = scores(rates({"a": [(1, 11)]}), "other")
        with pytest.raises(TaaeError, match=r"wer of utterance 'a-0' .* several transcripts"):
            collect(self.files(tmp_path, one, other))

    def test_files_of_before_there_were_weights_are_read(self, tmp_path):
        one = scores(rates({"a": [(1, 10)]}), "one", "stoi")[SCORE_COLUMNS]
        other = scores(rates({"a": [(1, 10)]}), "other")
        found = collect(self.files(tmp_path, one, other))
        assert found["weight"].isna().to_list() == [True, False]


class TestRecogniser:
    def test_a_loop_counts_and_what_cannot_be_judged_does_not(self):
        rows = rates({"a": [(1, 10), (10, 10), (0, 10)]})
        rows["status"] = ["ok", "hallucination", "no_transcript"]
        rows.loc[2, "value"] = np.nan
        assert usable(rows).to_list() == [True, True, False]

    def test_what_is_left_out_has_not_failed_and_is_told(self):
        here = study()
        left = rates({"a": [(1, 10)], "b": [(1, 10)]}).assign(value=np.nan, weight=np.nan)
        wer = scores(left, "baseline", "wer", "unrecognisable", "its rate is 1.2, above 0.5")
        dwer = scores(rates({"a": [(1, 10)], "b": [(1, 10)]}), "baseline", "dwer")
        dwer.loc[1, "status"] = "hallucination"
        table = summary(pd.concat([wer, dwer]), here, ["baseline"], ["wer", "dwer"])
        assert table["n_failed"].to_list() == [0, 0]
        assert table["n_utterances"].to_list() == [0, 2]
        assert remarks(pd.concat([wer, dwer])) == [
            "Left out: WER: its rate is 1.2, above 0.5.",
            "dWER where the recogniser loops, capped at 1 and counted: baseline 1.",
        ]
