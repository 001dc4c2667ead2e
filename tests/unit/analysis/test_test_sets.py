"""Several test sets: a table says which, families stay apart, and sentences name the set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from taae.analysis.figures.ablations import tests as figure_of
from taae.analysis.figures.draw import read_content
from taae.analysis.findings.table import findings
from taae.analysis.findings.wording import headlines, markdown
from taae.analysis.tables import tests as tables
from taae.analysis.tables.comparisons import comparisons
from taae.analysis.tables.factorial import COLUMNS as EFFECTS_COLUMNS
from taae.analysis.tables.scores import summary
from taae.analysis.write import write_table
from taae.corpus import config
from taae.study.study import Study
from taae.utils.files import write_csv
from tests.unit.analysis.fake_scores import fake_scores, study

ALTERED = config.TestSet("altered", altered=config.Altered(noise_db=20.0))
NOTHING = pd.DataFrame(columns=["point", "same_as"])
EFFECTS = pd.DataFrame(columns=["ablation", "effect", "point", "metric", "status"])


def with_tests(*names: str) -> Study:
    return replace(study(), tests=dict.fromkeys(names, ALTERED))


STUDY = with_tests("noise", "room")


@pytest.fixture(scope="module")
def scores() -> dict[str, pd.DataFrame]:
    """On `noise` all is worse, by the same; in `room` window-32 is not worse than the baseline."""
    main = fake_scores(speakers=8, utterances=2)
    room = main.copy()
    key = ["speaker", "utterance", "metric"]
    baseline = room[room["variant"] == "baseline"].set_index(key)["value"]
    narrow = room["variant"] == "window-32"
    rng = np.random.default_rng(0)
    same = baseline[pd.MultiIndex.from_frame(room.loc[narrow, key])].to_numpy()
    room.loc[narrow, "value"] = same + rng.normal(0, 0.01, narrow.sum())
    return {"main": main, "noise": main.assign(value=main["value"] - 0.3), "room": room}


@pytest.fixture(scope="module")
def compared(scores: dict[str, pd.DataFrame]) -> pd.DataFrame:
    others = {name: rows for name, rows in scores.items() if name != "main"}
    return tables.comparisons_on(others, STUDY, comparisons(scores["main"], STUDY))


def test_the_main_set_is_as_without_others_and_the_others_are_two_families(
    scores: dict[str, pd.DataFrame], compared: pd.DataFrame
) -> None:
    main = comparisons(scores["main"], study())
    pd.testing.assert_frame_equal(
        compared[compared["test"] == "main"].drop(columns="test"), main, check_dtype=False
    )
    others = compared[(compared["test"] != "main") & ~compared["control"].astype(bool)]
    assert set(others["family"]) == {"tests", "tests-secondary"}
    for family, rows in others.groupby("family"):
        assert set(rows["primary"].astype(bool)) == {family == "tests"}
        assert set(rows["family_size"]) == {len(rows)}
        ordered = rows.sort_values("p")
        steps = np.maximum.accumulate(ordered["p"] * np.arange(len(ordered), 0, -1)).clip(upper=1)
        assert ordered["p_holm"].to_numpy() == pytest.approx(steps.to_numpy())
    controls = compared[compared["control"].astype(bool)]
    assert set(controls["test"]) == {"main", "noise", "room"}
    assert controls["p_holm"].isna().all()


def test_every_set_is_measured_by_its_own_scores(compared: pd.DataFrame) -> None:
    stoi = compared[(compared["metric"] == "stoi") & (compared["variant"] == "window-32")]
    found = stoi.set_index("test")["difference"]
    assert found["noise"] == pytest.approx(found["main"])
    assert found["main"] < -0.08
    assert abs(found["room"]) < 0.02


def test_the_summary_has_each_set(scores: dict[str, pd.DataFrame]) -> None:
    main = summary(scores["main"], STUDY)
    others = {name: rows for name, rows in scores.items() if name != "main"}
    found = tables.summaries(others, STUDY, main).set_index(["test", "variant", "metric"])
    assert len(found) == 3 * len(main)
    assert found.columns[0] == "kind"
    low = found.loc[("noise", "baseline", "stoi"), "mean"]
    assert low == pytest.approx(found.loc[("main", "baseline", "stoi"), "mean"] - 0.3)


def test_the_tables_come_from_the_files_of_each_set(
    scores: dict[str, pd.DataFrame], compared: pd.DataFrame, tmp_path: Path
) -> None:
    for test in ("noise", "room"):
        for (variant, seed), rows in scores[test].groupby(["variant", "seed"]):
            write_csv(rows, tmp_path / f"tests/{test}/scores/{variant}/seed{seed}.csv")
    write_csv(summary(scores["main"], STUDY), tmp_path / "tables/summary.csv")
    write_csv(comparisons(scores["main"], STUDY), tmp_path / "tables/comparisons.csv")
    found = tables.tables_by_test(tmp_path, STUDY)
    assert list(found["tests"]["test"].unique()) == ["main", "noise", "room"]
    again = found["tests-comparisons"]
    assert again["difference"].to_numpy() == pytest.approx(compared["difference"].to_numpy())
    assert list(again["family"].fillna("")) == list(compared["family"])


def test_names_that_are_numbers_stay_as_they_are(
    scores: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    """Variants named 007 and 64, on a test set named 1."""
    names = {"baseline": "64", "window-32": "007"}
    rows = scores["main"][scores["main"]["variant"].isin(names)].replace({"variant": names})
    variants = {new: STUDY.variants[name] for name, new in names.items()}
    window = replace(STUDY.ablations["window"], reference="64", variants=["007"], controls=[])
    some = replace(with_tests("1"), variants=variants, ablations={"32": window})
    for variant, own in rows.groupby("variant"):
        write_csv(own, tmp_path / f"tests/1/scores/{variant}/seed1.csv")
    write_csv(summary(rows, some), tmp_path / "tables/summary.csv")
    write_csv(comparisons(rows, some), tmp_path / "tables/comparisons.csv")
    write_csv(pd.DataFrame(columns=EFFECTS_COLUMNS), tmp_path / "tables/factorial.csv")
    write_table("tests", some, tmp_path)
    write_table("findings", some, tmp_path)
    compared = read_content(tmp_path / "tables/tests-comparisons.csv")
    assert set(compared["reference"]) == {"64"}
    found = read_content(tmp_path / "tables/findings.csv")
    for column, expected in (("ablation", {"32"}), ("variant", {"007"}), ("test", {"main", "1"})):
        assert set(found[column]) == expected
    means = read_content(tmp_path / "tables/tests.csv")
    assert len(means.drop_duplicates(["test", "variant"])) == 4


def test_findings_name_the_test_set(
    scores: dict[str, pd.DataFrame], compared: pd.DataFrame
) -> None:
    main = comparisons(scores["main"], STUDY)
    found = findings(main, NOTHING, EFFECTS, STUDY, compared)
    alone = findings(main, NOTHING, EFFECTS, study())
    assert set(alone["test"]) == {"main"}
    pd.testing.assert_frame_equal(found[found["test"] == "main"].reset_index(drop=True), alone)
    others = found[found["test"] != "main"]
    assert set(others["role"]) == {"exploratory", "control"}
    for row in found.to_dict("records"):
        named = f" on test set {row['test']}:" in row["sentence"]
        assert named == (row["test"] != "main"), row["sentence"]
    said = headlines(found, STUDY)["window"]
    assert said.index("On test set noise (exploratory), ") < said.index("On test set room (")
    assert "There are 3 test sets: main (the corpus's own test split), noise, room;" in markdown(
        found, STUDY
    )
    assert "test set" not in markdown(alone, study())


def test_the_figure_has_a_panel_per_set_on_one_scale(compared: pd.DataFrame) -> None:
    figure = figure_of(STUDY, "window", compared)
    panels = [axis for axis in figure.axes if axis.axison]
    assert [axis.get_title(loc="left") for axis in panels] == ["main", "noise", "room"]
    assert len({axis.get_xlim() for axis in panels}) == 1
    for axis in panels:
        rows = compared[compared["test"] == axis.get_title(loc="left")]
        rows = rows[(rows["ablation"] == "window") & (rows["metric"] == "stoi")]
        shown = {
            float(line.get_ydata()[0]): float(line.get_xdata()[0])
            for line in axis.lines
            if line.get_marker() == "o"
        }
        assert shown == dict(enumerate(rows["difference"]))
