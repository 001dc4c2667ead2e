"""Hard conditions: wrong codes, lost frames, and what is scored against what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taae.corpus.store import Split
from taae.evaluation.decode import Halves
from taae.evaluation.decoded_files import Audio
from taae.evaluation.robustness.channel import concealed, draws, flipped, share_changed
from taae.evaluation.robustness.conditions import Condition, conditions
from taae.evaluation.robustness.config import Flips, Robustness
from taae.evaluation.robustness.run import score_robustness
from taae.evaluation.robustness.silence import silence_levels
from taae.evaluation.robustness.trials import Trials, burst_frames
from taae.evaluation.scoring.score import Scoring
from tests.unit.evaluation.test_lengths import utterances, write_corpus

KINDS = ("neighbour", "random")
LEVELS = st.lists(st.integers(2, 255), min_size=1, max_size=4)


def drawn(levels: list[int], frames: int = 50, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(levels, size=(frames, len(levels))).astype(np.uint8)


@given(LEVELS, st.floats(0, 1), st.sampled_from(KINDS))
def test_what_is_flipped_is_another_level_that_exists(
    levels: list[int], rate: float, to: str
) -> None:
    codes = drawn(levels)
    found = flipped(codes, levels, rate, to, draws(1, "flip", "a"))
    assert found.dtype == np.uint8
    assert (found < levels).all()
    apart = np.abs(found.astype(int) - codes)
    if to == "neighbour":
        assert apart.max() <= 1
    every = flipped(codes, levels, 1.0, to, draws(1, "flip", "a"))
    assert (every != codes).all()
    # Where a code is flipped it becomes what it becomes at every rate.
    assert ((found == codes) | (found == every)).all()


def test_as_many_codes_are_flipped_as_the_rate_says_and_evenly() -> None:
    """Binomial: 300 000 codes, within five standard deviations."""
    codes = np.full((100_000, 3), 2, np.uint8)
    for rate in (0.001, 0.1):
        bound = 5 * np.sqrt(rate * (1 - rate) / codes.size)
        for to in KINDS:
            found = flipped(codes, [5] * 3, rate, to, draws(1, "flip", "a"))
            assert share_changed(codes, found) == pytest.approx(rate, abs=bound)
    for to, others in (("neighbour", [1, 3]), ("random", [0, 1, 3, 4])):
        found = flipped(codes, [5] * 3, 1.0, to, draws(1, "flip", "a"))
        shares = np.bincount(found.ravel(), minlength=5)[others] / codes.size
        assert shares == pytest.approx(1 / len(others), abs=0.005)


def test_both_kinds_flip_the_same_codes_and_rates_are_nested() -> None:
    codes = drawn([4] * 12, 400)
    places = {
        (to, rate): flipped(codes, [4] * 12, rate, to, draws(1, "flip", "a")) != codes
        for to in KINDS
        for rate in (0.01, 0.1)
    }
    for rate in (0.01, 0.1):
        np.testing.assert_array_equal(places["neighbour", rate], places["random", rate])
    assert places["random", 0.1][places["random", 0.01]].all()


def test_arms_have_the_same_errors_whatever_they_sent_and_utterances_do_not() -> None:
    one, other = (drawn([4] * 12, 400, seed) for seed in (1, 2))
    wrong = [
        flipped(codes, [4] * 12, 0.1, "random", draws(seed, "flip", name)) != codes
        for codes, seed, name in ((one, 1, "a"), (other, 1, "a"), (one, 1, "b"), (one, 2, "a"))
    ]
    np.testing.assert_array_equal(wrong[0], wrong[1])
    assert (wrong[0] != wrong[2]).any()
    assert (wrong[0] != wrong[3]).any()


@given(st.integers(1, 60), st.integers(1, 7), st.floats(0, 1), st.integers(0, 99))
def test_a_lost_frame_is_the_last_one_that_arrived(
    frames: int, burst: int, share: float, seed: int
) -> None:
    """Oracle: a receiver that goes through the bursts one after the other."""
    codes = np.arange(frames, dtype=np.uint8)[:, None]
    fates = draws(seed, "loss", "a").random(-(-frames // burst))
    lost = [fate < share for fate in fates]
    if all(lost):
        lost[int(np.argmax(fates))] = False
    held = min(frame for frame in range(frames) if not lost[frame // burst])
    expected = []
    for frame in range(frames):
        if not lost[frame // burst]:
            held = frame
        expected.append(held)
    found = concealed(codes, share, burst, draws(seed, "loss", "a"))
    assert found[:, 0].tolist() == expected


def test_as_many_frames_are_lost_as_the_share_says() -> None:
    codes = (np.arange(60_000) % 251).astype(np.uint8)[:, None]
    found = concealed(codes, 0.05, 2, draws(1, "loss", "a"))
    assert share_changed(codes, found) == pytest.approx(0.05, abs=5 * np.sqrt(0.0475 / 30_000))


@pytest.mark.parametrize(
    ("burst_ms", "hop", "frames"), [(20, 160, 2), (1, 160, 1), (40, 640, 1), (100, 640, 2)]
)
def test_a_burst_is_of_whole_frames(burst_ms: float, hop: int, frames: int) -> None:
    assert burst_frames(burst_ms, hop) == frames


def toy(levels: int, gain: float = 1.0, offset: float = 0.0) -> Halves:
    """Return a codec of one code per sample: `levels` over [-1, 1], decoded at the middle.

    With gain 1 it is idempotent.
    """

    def encode(audio: Audio) -> np.ndarray:
        codes = np.clip(np.floor((audio + 1) / 2 * levels), 0, levels - 1)
        return codes.astype(np.uint8)[:, None]

    def decode(codes: np.ndarray, samples: int) -> Audio:
        values = (codes[:samples, 0] + 0.5) / levels * 2 - 1
        return (gain * values + offset).astype(np.float32)

    return Halves(encode, decode, [levels], 1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said = utterances({"a-1": 1.5, "a-2": 1.1, "b-1": 1.2})
    return write_corpus(tmp_path_factory.mktemp("corpus"), said)


@pytest.mark.parametrize(("gain", "keeps"), [(1.0, True), (0.8, False)])
def test_an_idempotent_codec_keeps_all_codes_and_another_does_not(
    corpus: Path, gain: float, keeps: bool
) -> None:
    """Oracle: the passes written out, without the rounding of files in between."""
    codec = toy(16, gain)
    trials = Trials(codec, Split.open(corpus, "test"), Robustness())
    for passes in (2, 5):
        for trial in trials.under(Condition("pass", passes)):
            before = codes = codec.encode(trial.given)
            audio = codec.decode(codes, trial.given.size)
            for _ in range(passes - 1):
                before, codes = codes, codec.encode(audio)
                audio = codec.decode(codes, trial.given.size)
            assert trial.changed == pytest.approx((codes != before).mean(), abs=1e-3)
            np.testing.assert_allclose(trial.decoded, audio, atol=2**-15)
            if passes == 2:
                assert (trial.changed == 0) == keeps


SCORING = Scoring(["si_sdr"], max_failed=1.0, max_seconds=30.0)
SETTINGS = Robustness(
    metrics=["si_sdr"],
    flips=Flips([0.1], ["random"]),
    losses=[0.1],
    passes=[3, 2],
    gains_db=[-10.0],
    noise_db=[10.0],
    band_hz=[4000.0],
)


def test_every_condition_has_a_row_and_scores_are_against_what_was_given(
    corpus: Path, tmp_path: Path
) -> None:
    labels = {"run": "007/seed1", "variant": "007", "seed": 1, "bitrate": 1.0, "split": "test"}
    output = tmp_path / "seed1.csv"
    score_robustness(toy(255), corpus, SETTINGS, output, SCORING, labels)
    table = pd.read_csv(output, dtype={"variant": str})
    assert set(table["variant"]) == {"007"}
    assert table.groupby(["condition", "amount"], sort=False).size().to_dict() == {
        ("clean", 0): 3, ("flip-random", 0.1): 3, ("loss", 0.1): 3, ("pass", 2): 3, ("pass", 3): 3,
        ("gain", -10): 3, ("noise", 10): 3, ("band", 4000): 3,
    }  # fmt: skip
    mean = table.groupby("condition")["value"].mean()
    # 255 levels keep speech, noisy speech too; speech 10 dB softer has 10 dB less than that.
    assert mean["noise"] > 20  # against clean speech it would be 10
    assert mean["band"] == pytest.approx(mean["clean"], abs=1)
    assert mean["gain"] == pytest.approx(mean["clean"] - 10, abs=1)
    assert mean["pass"] == pytest.approx(mean["clean"], abs=0.01)
    assert mean["flip-random"] < mean["loss"] < mean["clean"]
    changed = table.groupby("condition")["codes_changed"].mean()
    assert changed[["clean", "gain", "noise", "band"]].isna().all()
    assert changed["pass"] == 0
    assert changed["flip-random"] == pytest.approx(0.1, abs=0.01)
    levels = pd.read_csv(tmp_path / "silence-seed1.csv", dtype={"variant": str})
    assert levels["variant"].tolist() == ["007", "007"]


def test_the_level_of_what_a_codec_makes_of_silence() -> None:
    found = silence_levels(toy(3, gain=0.0, offset=0.1), seed=1)
    assert found["input_dbfs"].tolist() == [-120, -60]
    assert found["output_dbfs"].tolist() == pytest.approx([-20, -20], abs=1e-5)
    assert found["peak_dbfs"].tolist() == pytest.approx([-20, -20], abs=1e-5)

    def nothing(codes: np.ndarray, samples: int) -> Audio:
        return np.zeros(samples, np.float32)

    quiet = silence_levels(Halves(toy(3).encode, nothing, [3], 1), seed=1)
    assert quiet["output_dbfs"].tolist() == [-120, -120]
    kept: list[Audio] = []

    def encode(audio: Audio) -> np.ndarray:
        kept.append(audio)
        return np.zeros((1, 1), np.uint8)

    back = silence_levels(Halves(encode, lambda codes, samples: kept[-1], [3], 1), seed=1)
    assert back["output_dbfs"].tolist() == pytest.approx([-120, -60], abs=0.1)


def test_an_empty_list_switches_a_condition_off() -> None:
    nothing = Robustness(
        flips=Flips(to=[]), losses=[], passes=[], gains_db=[], noise_db=[], band_hz=[]
    )
    assert conditions(nothing) == [("clean", 0.0)]
    assert [each.name for each in conditions(SETTINGS)] == [
        "clean", "flip-random", "loss", "pass", "pass", "gain", "noise", "band",
    ]  # fmt: skip
