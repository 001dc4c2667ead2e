"""DistillMOS: equal to the package's own class, or a status."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from taae.evaluation import installed
from taae.evaluation.scoring import distill_mos as module
from taae.evaluation.scoring.distill_mos import DistillMOS, distill_mos
from taae.utils.errors import TaaeError
from tests.unit.evaluation.scoring_one import score
from tests.unit.evaluation.speechlike import noisy, speech
from tests.unit.evaluation.stand_ins import package

CLEAN = speech(2.0)
LONG = speech(9.0)
SIGNALS = {
    "good": noisy(CLEAN, 30),
    "bad": noisy(CLEAN, 0),
    "clipped": np.clip(8 * CLEAN, -1.0, 1.0),
    "short": CLEAN[:400],
    "several crops": LONG,
}


class TestOfRandomWeights:
    @pytest.fixture(autouse=True)
    def random(self, monkeypatch):
        torch.manual_seed(0)
        network = DistillMOS().eval()
        monkeypatch.setattr(module, "_network", lambda: network)
        monkeypatch.setattr(installed, "find_spec", lambda module: module)
        monkeypatch.setattr("taae.evaluation.scoring.scorers.version", lambda package: "0.9.1")

    @pytest.mark.parametrize(
        ("degraded", "status"),
        [
            (np.zeros_like(CLEAN), "silent_deg"),
            (np.where(np.arange(CLEAN.size) == 9, np.nan, CLEAN), "nonfinite"),
            (CLEAN[:0], "too_short"),
            (SIGNALS["bad"][:400], "ok"),
            (1.9 * CLEAN / np.abs(CLEAN).max(), "ok"),
        ],
        ids=["silent", "NaN", "no samples", "short", "clipped"],
    )
    def test_statuses(self, tmp_path, degraded, status):
        row = score(tmp_path, ["distillmos"], degraded, degraded).loc["distillmos"]
        assert row.status == status
        assert (row.status == "ok") == math.isfinite(row.value)

    def test_it_is_between_1_and_5_at_any_level(self):
        assert 1 < distill_mos(CLEAN) < 5
        assert distill_mos(0.01 * CLEAN) == pytest.approx(distill_mos(CLEAN), abs=1e-4)


def test_a_missing_package_is_told_before_anything_is_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda module: None)
    with pytest.raises(TaaeError, match=r"distillmos needs .*pip install --no-deps distillmos"):
        score(tmp_path, ["distillmos"], CLEAN, CLEAN)


@pytest.mark.outside
class TestOfThePublishedWeights:
    @pytest.fixture
    def direct(self, monkeypatch):
        network = package("distillmos", monkeypatch, "xls_r_sqa").ConvTransformerSQAModel().eval()

        def rate(signal):
            with torch.no_grad():
                return network(torch.from_numpy(signal.astype(np.float32))[None]).item()

        return rate

    @pytest.mark.parametrize("name", SIGNALS)
    def test_it_is_that_of_the_package_used_directly(self, direct, name):
        assert distill_mos(SIGNALS[name]) == pytest.approx(direct(SIGNALS[name]), abs=1e-4)

    @pytest.mark.skipif(find_spec("distillmos") is None, reason="no package distillmos")
    def test_what_the_package_gave(self):
        """Figures of distillmos 0.9.1 itself, with its requirement xls-r-sqa 0.1.0."""
        given = {"good": 1.171, "bad": 2.068, "clipped": 1.125}
        found = {name: distill_mos(SIGNALS[name]) for name in given}
        assert found == pytest.approx(given, abs=2e-3)
