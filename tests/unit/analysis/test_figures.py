"""Figures: written whole, the same bytes again, showing the numbers of their tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import soundfile
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from taae.analysis import catalogue
from taae.analysis.figures import ablations as figures
from taae.analysis.figures.draw import OF_ABLATIONS, OF_ALL, plot, read_content
from taae.analysis.figures.study import spectrograms
from taae.analysis.tables import comparisons as comparing
from taae.analysis.tables import scores as tables
from taae.analysis.tables.spectra import write_spectra
from taae.corpus import config
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from tests.unit.analysis.fake_scores import fake_scores, study

RATE = 16_000
CAPTIONS = Path(__file__).parents[3] / "workflow" / "report"
STUDY = study()
STUDY = replace(STUDY, metrics=replace(STUDY.metrics, names=["mel_distance", "stoi"]))


@pytest.fixture(scope="module")
def found() -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = fake_scores(speakers=6, utterances=2)
    return tables.summary(scores, STUDY), comparing.comparisons(scores, STUDY)


def history(end: float) -> pd.DataFrame:
    train = pd.DataFrame({"step": [20, 40, 60], "split": "train", "loss": [9.0, 5.0, end]})
    train["discriminator"] = [np.nan, np.nan, 2.0]
    validation = pd.DataFrame({"step": [30, 60], "split": "validation", "loss": [6.0, end]})
    return pd.concat([train, validation])


def drawn(spectra: Path) -> Figure:
    return spectrograms(STUDY, read_content(spectra))


def points(figure: Figure, panel: int) -> dict[tuple[float, float], tuple[str, bool]]:
    """Return (x, y) -> (marker, whether filled) of a panel's single points."""
    return {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): (
            str(line.get_marker()),
            line.get_markerfacecolor() != "white",
        )
        for line in figure.axes[panel].lines
        if line.get_marker() != "None" and len(line.get_xdata())  # not an entry of the legend
    }


def write_tables(folder: Path, found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Write what the figures of a study are drawn from."""
    histories = [history(2.0).assign(variant="baseline"), history(3.0).assign(variant="even")]
    for name, table in {
        "summary": found[0],
        "comparisons": found[1],
        "training": pd.concat(histories).assign(seed=1),
        "coverage": tables.coverage(STUDY),
    }.items():
        write_csv(table, folder / f"{name}.csv")


def test_every_figure_is_written_and_the_same_again(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    write_tables(tmp_path / "tables", found)
    write_tones(tmp_path)
    names = ["fsq-odd/metrics", "window/metrics", "fsq-odd/forest"]
    names += ["training", "coverage", "spectrograms"]
    one, two = tmp_path / "one", tmp_path / "two"
    plot(STUDY, tmp_path / "tables", one, names)
    for name in reversed(names):  # alone, or after others: the same
        plot(STUDY, tmp_path / "tables", two, [name])
    written = {path.relative_to(one): path.read_bytes() for path in one.rglob("*.p*")}
    assert len(written) == 12
    assert written == {path.relative_to(two): path.read_bytes() for path in two.rglob("*.p*")}
    assert all(content.startswith((b"\x89PNG", b"%PDF")) for content in written.values())
    assert all(b"CreationDate" not in content for content in written.values())


def test_a_figure_that_is_not_of_the_study_is_refused(tmp_path: Path) -> None:
    for name in ("windows/metrics", "metrics", "lengths.png"):
        with pytest.raises(TaaeError, match=f"no figure '{name}'; the study has .*window/metrics"):
            plot(STUDY, tmp_path, tmp_path, [name])


def test_every_kind_of_figure_has_a_caption_and_a_function() -> None:
    tests = {"louder": config.TestSet("altered", altered=config.Altered(gain_db=6.0))}
    hard = replace(STUDY.robustness, ablations=["window"])
    shown = catalogue.figures(replace(STUDY, tests=tests, robustness=hard))
    for drawn, of_one in ((OF_ABLATIONS, True), (OF_ALL, False)):
        assert {figure.kind for figure in shown if bool(figure.ablation) == of_one} == set(drawn)
    kinds = {*OF_ABLATIONS, *OF_ALL}
    assert kinds <= {path.stem for path in CAPTIONS.glob("*.rst")}


def test_arms_are_rows_with_the_reference_first(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = figures.metrics(STUDY, "fsq-odd", *found)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == STUDY.ablations["fsq-odd"].arms
    assert figure.axes[1].get_title(loc="left") == "STOI ↑"
    means = found[0].set_index(["variant", "metric"])["mean"]
    shown = {(round(x, 12), y): look for (x, y), look in points(figure, 1).items()}
    expected = {"baseline": ("D", True), "odd-no-symmetric": ("s", False)}
    expected["odd-no-hybrid"] = ("o", True)
    assert shown == {
        (round(means[name, "stoi"], 12), float(row)): look
        for row, (name, look) in enumerate(expected.items())
    }


def test_metrics_have_the_intervals_of_paired_differences(
    found: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """And not those of means, which hold what speakers differ by."""
    summary, compared = found
    compared = compared.assign(noise=0.003, noise_df=5)
    figure = figures.metrics(STUDY, "fsq-odd", summary, compared)
    mean = summary.set_index(["variant", "metric"])["mean"]["baseline", "stoi"]
    rows = compared.set_index(["ablation", "variant", "metric"])
    (lines,) = [one for one in figure.axes[1].collections if isinstance(one, LineCollection)]
    paths = [path for path in lines.get_segments() if len(path)]
    drawn = {round(path[0][1]): (path[0][0], path[1][0]) for path in paths}
    for row, name in ((1, "odd-no-symmetric"), (2, "odd-no-hybrid")):
        expected = rows.loc[("fsq-odd", name, "stoi"), ["low", "high"]] + mean
        assert drawn[row] == pytest.approx(tuple(expected))
    assert set(drawn) == {1, 2}  # the reference differs from nothing
    noise = spans(figure, 1)["training noise (2 × RMS)"]
    assert noise == pytest.approx((mean - 0.006, mean + 0.006))


@pytest.mark.parametrize("kind", ["metrics", "forest", "points"])
def test_figures_say_what_one_seed_allows(
    found: tuple[pd.DataFrame, pd.DataFrame], kind: str
) -> None:
    def title(table: pd.DataFrame) -> str:
        tables = (found[0], table) if kind == "metrics" else (table,)
        draw: Callable[..., Figure] = getattr(figures, kind)
        return draw(STUDY, "window", *tables).get_suptitle().replace("\n", " ")

    one = found[1].assign(point="native", noise=np.nan)
    assert "these checkpoints differ (Holm); other trainings may not" in title(one)
    for scope in ("over trainings", "over 3 seeds"):
        several = title(one.assign(scope=scope))
        assert "beyond what training does by chance (Holm)" in several
        assert "other trainings" not in several


def test_the_primary_metric_is_bold(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = figures.forest(STUDY, "fsq-odd", found[1])
    texts = [text for text in figure.findobj(Text) if text.get_text().endswith(("↑", "↓"))]
    weights = {text.get_text(): text.get_fontweight() for text in texts}
    assert weights == {"Mel distance ↓": "normal", "STOI ↑": "bold"}


def test_windows_lie_on_the_x_axis(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = figures.metrics(STUDY, "window", *found)
    line = figure.axes[1].lines[0]
    assert list(line.get_xdata()) == [32, 64, 128, 256]
    means = found[0][found[0]["metric"] == "stoi"].set_index("variant")["mean"]
    order = ["window-32", "window-64", "baseline", "window-256"]
    assert list(line.get_ydata()) == pytest.approx(means[order].tolist())


def spans(figure: Figure, panel: int) -> dict[str, tuple[float, float]]:
    """Return (left, right) of the shades of a panel by their labels."""
    found = {}
    for patch in figure.axes[panel].patches:
        assert isinstance(patch, Rectangle)
        found[patch.get_label()] = (patch.get_x(), patch.get_x() + patch.get_width())
    return found


def test_forest_shades_the_better_side(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = figures.forest(STUDY, "fsq-odd", found[1])
    for panel, better in ((0, -1), (1, 1)):  # mel distance, STOI
        low, high = sorted(spans(figure, panel)["better than reference"])
        left, right = figure.axes[panel].get_xlim()
        assert (low, high) == pytest.approx((0, right) if better > 0 else (left, 0))
        assert left < 0 < right
    differences = found[1].set_index(["variant", "metric"])["difference"]
    assert points(figure, 1)[differences["odd-no-symmetric", "stoi"], 0.0] == ("s", False)


def test_forest_shows_the_noise_and_fills_what_differs(
    found: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    compared = found[1].assign(p_holm=found[1]["variant"].map({"window-32": 0.001}).fillna(0.06))
    differences = compared.set_index(["variant", "metric"])["difference"]
    noise = 0.003
    figure = figures.forest(STUDY, "window", compared.assign(noise=noise, noise_df=5))
    assert spans(figure, 1)["training noise (2 × RMS)"] == (pytest.approx((-2 * noise, 2 * noise)))
    shown = points(figure, 1)
    assert [
        shown[differences[name, "stoi"], float(row)]
        for row, name in enumerate(STUDY.ablations["window"].variants)
    ] == [("o", True), ("o", False), ("o", False)]

    for unknown in ({"noise": np.nan}, {"noise": noise, "noise_df": 2}):
        figure = figures.forest(STUDY, "window", compared.assign(**unknown))
        assert list(spans(figure, 1)) == ["better than reference"]


def test_points_are_ordered_by_bitrate_and_filled_where_they_differ(
    found: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    compared = found[1]
    places = ["1x46656", "native", "2x15625"]  # 6, 16 and 25 codes per dimension
    differences = compared.set_index(["variant", "metric"])["difference"]["even-neither", "stoi"]
    noises = dict(zip(places, [0.0, abs(differences), np.nan], strict=True))
    table = pd.concat(
        compared.assign(
            point=point, noise=noise, noise_df=5, p_holm=0.06 if point == "native" else 0.001
        )
        for point, noise in reversed(noises.items())
    )
    figure = figures.points(STUDY, "fsq-even", table)
    axis = figure.axes[1]
    assert axis.get_title(loc="left") == "STOI ↑"
    labels = ["6@1", *places[1:]]  # 1x46656 would be the size of a codebook of 6 dimensions
    assert [text.get_text() for text in axis.get_xticklabels()] == labels
    shown = {
        (places[round(x)], y): (solid, abs(x - round(x)) < 0.4)
        for (x, y), (_, solid) in points(figure, 1).items()
    }
    assert shown == {
        (point, row.difference): (point != "native", True)
        for point in places
        for row in compared[compared["metric"] == "stoi"].itertuples()
        if row.ablation == "fsq-even"
    }
    (band,) = [one for one in axis.collections if isinstance(one, PolyCollection)]
    (path,) = band.get_paths()
    x, y = path.vertices.T
    assert (x.min(), x.max()) == pytest.approx((0.6, 1.4))
    assert (y.min(), y.max()) == pytest.approx((-2 * abs(differences), 2 * abs(differences)))
    hollow = figures.points(STUDY, "fsq-even", table.assign(p_holm=0.06))
    assert [solid for _, solid in points(hollow, 1).values()] == [False] * 9


def test_figures_survive_a_study_of_one_speaker(tmp_path: Path) -> None:
    scores = fake_scores(speakers=1, utterances=2)
    scores = scores[scores["variant"] != "window-32"]
    write_tables(tmp_path, (tables.summary(scores, STUDY), comparing.comparisons(scores, STUDY)))
    names = [f"{name}/{kind}" for name in ("fsq-even", "window") for kind in ("metrics", "forest")]
    plot(STUDY, tmp_path, tmp_path / "figures", names)
    assert len(list((tmp_path / "figures").rglob("*.png"))) == 4


def test_a_users_style_does_not_leak_in_or_out(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    write_tables(tmp_path, found)
    plot(STUDY, tmp_path, tmp_path / "plain", ["coverage"])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        plot(STUDY, tmp_path, tmp_path / "styled", ["coverage"])
        assert mpl.rcParams["font.size"] == 30
    plain, styled = ((tmp_path / name / "coverage.png") for name in ("plain", "styled"))
    assert plain.read_bytes() == styled.read_bytes()


def test_text_in_other_scripts_is_drawn(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    """Arabic and signs of chess are in the font that comes with matplotlib."""
    write_tables(tmp_path, found)
    window = replace(STUDY.ablations["window"], title="\u0645 \u2655")
    renamed = replace(STUDY, ablations=STUDY.ablations | {"window": window})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Glyph missing from font"
        plot(renamed, tmp_path, tmp_path / "figures", ["window/metrics"])


def test_spectrogram_peaks_at_the_tone_and_at_0_db(tmp_path: Path) -> None:
    spectra = write_tones(tmp_path)
    figure = drawn(spectra)
    for axis, level in zip(figure.axes[:2], (0, -20), strict=True):
        image = axis.images[0]
        levels = image.get_array()
        assert levels is not None
        left, right, bottom, top = image.get_extent()
        assert (left, bottom, top) == (0, 0, 8)  # s and kHz
        assert right == pytest.approx(1, abs=0.05)  # the last windows reach past the end
        row = levels[:, levels.shape[1] // 2].argmax()
        assert row / (levels.shape[0] - 1) * top == pytest.approx(2, abs=0.05)
        assert levels.max() == pytest.approx(level, abs=0.2)


def test_spectrograms_show_a_click_at_its_time(tmp_path: Path) -> None:
    click = np.zeros(RATE)
    click[RATE // 2] = 0.5
    spectra = write_sound(tmp_path, click)
    figure = drawn(spectra)
    image = figure.axes[0].images[0]
    levels = image.get_array()
    assert levels is not None
    left, right, _, _ = image.get_extent()
    time = left + levels.max(axis=0).argmax() * (right - left) / levels.shape[1]
    assert time == pytest.approx(0.5, abs=1e-6)


def write_tones(folder: Path) -> Path:
    """Write the table of a 2 kHz tone, as reference, that every variant decodes 20 dB lower."""
    return write_sound(folder, 0.5 * np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE))


def write_sound(folder: Path, samples: npt.NDArray[np.float64]) -> Path:
    """Write the table of a sound, as reference, that every variant decodes 20 dB lower."""
    two = replace(STUDY, variants=dict(list(STUDY.variants.items())[:2]))
    for sound, scale in [
        ("reference/audio", 1.0),
        *((f"decoded/{name}/seed1/native/audio", 0.1) for name in two.variants),
    ]:
        (folder / sound).mkdir(parents=True)
        soundfile.write(folder / sound / "u1.flac", scale * samples, RATE)
    write_spectra(folder, two)
    return folder / "tables" / "spectra.npz"


def test_spectrograms_name_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="no FLAC file"):
        write_spectra(tmp_path, STUDY)
    (tmp_path / "reference" / "audio").mkdir(parents=True)
    (tmp_path / "reference" / "audio" / "a.flac").write_bytes(b"nothing")
    with pytest.raises(TaaeError, match=r"a\.flac"):
        write_spectra(tmp_path, STUDY)
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(TaaeError, match=r"x\.npz"):
        drawn(tmp_path / "x.npz")
