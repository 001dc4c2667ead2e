"""The figure of verdicts shows what the findings say, with right for better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from taae.analysis.figures import style
from taae.analysis.figures.verdicts import verdicts
from taae.analysis.findings.wording import Row
from tests.unit.analysis import fake_scores

STUDY = fake_scores.study()
STUDY = replace(
    STUDY,
    ablations={
        "window": replace(STUDY.ablations["window"], title="Windows", primary="stoi"),
        "fsq-even": replace(STUDY.ablations["fsq-even"], title="FSQ", primary="mel_distance"),
    },
    labels={"window-32": "a window of 32 keys"},
)


def row(ablation: str, variant: str, difference: float, verdict: str, **more: Any) -> Row:
    return {
        "ablation": ablation,
        "variant": variant,
        "effect": "difference",
        "metric": STUDY.ablations[ablation].primary,
        "point": "native",
        "test": "main",
        "role": "confirmatory",
        "difference": difference,
        "low": difference - 0.01,
        "high": difference + 0.03,
        "confidence": 0.95,
        "margin": 0.02,
        "verdict": verdict,
        "scope": "trainings",
        "n_speakers": 20,
    } | more


def draw(*rows: dict[str, Any]) -> Figure:
    with style.styled():
        return verdicts(STUDY, pd.DataFrame(rows))


def rows_of(figure: Figure) -> list[str]:
    """Return the names of the rows from the top, titles where a row has none."""
    (axis,) = figure.axes
    titles = {round(text.get_position()[1]): text.get_text() for text in axis.texts}
    labels = [label.get_text() for label in axis.get_yticklabels()]
    return [label or titles.get(place, "") for place, label in enumerate(labels)]


def marks(figure: Figure) -> dict[int, tuple[float, str, bool]]:
    """Return by row: the place of its point, its marker and whether it is filled."""
    return {
        int(line.get_ydata()[0]): (
            float(line.get_xdata()[0]),
            str(line.get_marker()),
            not same_color(line.get_markerfacecolor(), "white"),
        )
        for line in figure.axes[0].lines
        if line.get_marker() != "None" and len(line.get_xdata())
    }


def test_an_arm_is_at_its_difference_in_margins_and_right_is_better() -> None:
    figure = draw(
        row("window", "window-32", -0.05, "worse"),
        row("window", "window-64", 0.004, "equivalent"),
        row("fsq-even", "even-no-symmetric", 0.04, "worse"),
        row("fsq-even", "even-no-hybrid", -0.04, "better"),
    )
    names = ["Windows", "a window of 32 keys", "window-64"]
    assert rows_of(figure) == [*names, "FSQ", "even-no-symmetric", "even-no-hybrid"]
    found = marks(figure)
    assert found == {
        1: (pytest.approx(-2.5), "v", True),
        2: (pytest.approx(0.2), "o", True),
        4: (pytest.approx(-2.0), "v", True),  # a distance: more of it is worse
        5: (pytest.approx(2.0), "^", True),
    }
    lines = [part for part in figure.axes[0].collections if isinstance(part, LineCollection)]
    ends = [sorted(path[:, 0]) for part in lines for path in part.get_segments()]
    assert ends[0] == pytest.approx([-3.0, -1.0])
    assert ends[2] == pytest.approx([-3.5, -1.5])  # mirrored
    assert "STOI -0.0500" in [text.get_text() for text in figure.axes[0].texts]


def test_other_points_stand_below_their_arm_where_they_are_worse_or_better() -> None:
    other = {"role": "exploratory", "point": "1x46656"}
    figure = draw(
        row("window", "window-32", -0.05, "worse"),
        row("window", "window-64", 0.004, "equivalent"),
        row("window", "window-64", 0.003, "equivalent", **other),
        row("window", "window-32", -0.1, "worse", **other),
        row("window", "window-32", 9.0, "worse", role="exploratory", metric="si_sdr"),
        row("window", "window-32", 9.0, "worse", role="exploratory", test="noise"),
        row("window", "window-64", 9.0, "worse", role="exploratory", effect="main effect"),
        row("window", "window-128", 9.0, "worse", role="control", point="1x46656"),
        row("window", "window-128", 0.001, "equivalent", role="control"),
    )
    arms = ["a window of 32 keys", "a window of 32 keys, at 6@1", "window-64", "window-128"]
    assert rows_of(figure) == ["Windows", *arms]
    found = marks(figure)
    assert [filled for _, _, filled in found.values()] == [True, False, True, False]
    assert found[4][1] == "s"  # a control


def test_what_has_no_margin_is_not_shown() -> None:
    without = row("fsq-even", "even-no-hybrid", 0.1, "worse", margin=float("nan"))
    assert rows_of(draw(row("window", "window-32", 0.0, "equivalent"), without)) == [
        "Windows",
        "a window of 32 keys",
    ]
    assert rows_of(draw(without)) == [""]
