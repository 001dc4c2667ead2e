"""Figures: written whole, the same bytes again, showing the numbers of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import soundfile
from matplotlib.figure import Figure
from matplotlib.text import Text

from taae.analysis.figures import ablations as figures
from taae.analysis.figures import spectrograms
from taae.analysis.tables import scores as tables
from taae.analysis.tables.spectra import write_spectra
from taae.utils.errors import TaaeError
from tests.unit.analysis.fake_scores import fake_scores, study

RATE = 16_000
STUDY = study()
STUDY = replace(STUDY, metrics=replace(STUDY.metrics, names=["mel_distance", "stoi"]))


@pytest.fixture(scope="module")
def found() -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = fake_scores(speakers=6, utterances=2)
    return tables.summary(scores, STUDY), tables.comparisons(scores, STUDY)


def history(end: float) -> pd.DataFrame:
    train = pd.DataFrame({"step": [20, 40, 60], "split": "train", "loss": [9.0, 5.0, end]})
    train["discriminator"] = [np.nan, np.nan, 2.0]
    validation = pd.DataFrame({"step": [30, 60], "split": "validation", "loss": [6.0, end]})
    return pd.concat([train, validation])


def drawn(module: object, draw: Callable[[], None]) -> Figure:
    """Return the figure that a function would save."""
    with mock.patch.object(module, "save") as save:
        draw()
    figure: Figure = save.call_args.args[0]
    return figure


def points(figure: Figure, panel: int) -> dict[tuple[float, float], tuple[str, bool]]:
    """Return (x, y) -> (marker, whether filled) of a panel's single points."""
    return {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): (
            str(line.get_marker()),
            line.get_markerfacecolor() != "white",
        )
        for line in figure.axes[panel].lines
        if line.get_marker() != "None"
    }


def test_every_figure_is_written_and_the_same_again(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    summary, comparisons = found
    spectra = write_tones(tmp_path)
    histories = [history(2.0).assign(variant="baseline"), history(3.0).assign(variant="even")]
    training = pd.concat(histories).assign(seed=1)
    for folder in (tmp_path / "one", tmp_path / "two"):
        for name in ("fsq-odd", "window"):
            figures.ablation_figure(name, STUDY, summary, comparisons, folder / name)
        figures.forest_figure("fsq-odd", STUDY, comparisons, folder / "forest")
        figures.training_curves(training, folder / "training")
        figures.coverage_figure(tables.coverage(STUDY), folder / "coverage")
        spectrograms.plot_spectra(spectra, folder / "spectrograms")
    written = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert len(written) == 12
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert all(content.startswith((b"\x89PNG", b"%PDF")) for content in written.values())
    assert all(b"CreationDate" not in content for content in written.values())


def test_arms_are_rows_with_the_reference_first(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = drawn(
        figures, lambda: figures.ablation_figure("fsq-odd", STUDY, *found, tmp_path / "a")
    )
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == STUDY.ablations["fsq-odd"].arms
    assert figure.axes[1].get_title(loc="left") == "STOI ↑"
    means = found[0].set_index(["variant", "metric"])["mean"]
    shown = points(figure, 1)
    assert shown[means["baseline", "stoi"], 0.0] == ("D", True)
    assert shown[means["odd-no-symmetric", "stoi"], 1.0] == ("s", False)
    assert shown[means["odd-no-hybrid", "stoi"], 2.0] == ("o", True)


def test_the_primary_metric_is_bold(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = drawn(
        figures, lambda: figures.forest_figure("fsq-odd", STUDY, found[1], tmp_path / "a")
    )
    texts = [text for text in figure.findobj(Text) if text.get_text().endswith(("↑", "↓"))]
    weights = {text.get_text(): text.get_fontweight() for text in texts}
    assert weights == {"Mel distance ↓": "normal", "STOI ↑": "bold"}


def test_windows_lie_on_the_x_axis(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = drawn(
        figures, lambda: figures.ablation_figure("window", STUDY, *found, tmp_path / "a")
    )
    line = figure.axes[1].lines[0]
    assert list(line.get_xdata()) == [32, 64, 128, 256]
    means = found[0][found[0]["metric"] == "stoi"].set_index("variant")["mean"]
    order = ["window-32", "window-64", "baseline", "window-256"]
    assert list(line.get_ydata()) == means[order].tolist()


def test_forest_shades_the_better_side(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    figure = drawn(
        figures, lambda: figures.forest_figure("fsq-odd", STUDY, found[1], tmp_path / "a")
    )
    for panel, better in ((0, -1), (1, 1)):  # mel distance, STOI
        shade = figure.axes[panel].patches[0].get_extents()
        (centre, _) = (
            figure.axes[panel].transData.inverted().transform([(shade.x0 + shade.x1) / 2, 0])
        )
        assert np.sign(centre) == better
    differences = found[1].set_index(["variant", "metric"])["difference"]
    assert points(figure, 1)[differences["odd-no-symmetric", "stoi"], 0.0] == ("s", False)


def test_figures_survive_a_study_of_one_speaker(tmp_path: Path) -> None:
    scores = fake_scores(speakers=1, utterances=2)
    scores = scores[scores["variant"] != "window-32"]
    summary, comparisons = tables.summary(scores, STUDY), tables.comparisons(scores, STUDY)
    for name in ("fsq-even", "window"):
        figures.ablation_figure(name, STUDY, summary, comparisons, tmp_path / name)
        figures.forest_figure(name, STUDY, comparisons, tmp_path / f"{name}-forest")
    assert len(list(tmp_path.glob("*.png"))) == 4


def test_a_users_style_does_not_leak_in_or_out(tmp_path: Path) -> None:
    table = tables.coverage(STUDY)
    figures.coverage_figure(table, tmp_path / "plain")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        figures.coverage_figure(table, tmp_path / "styled")
        assert mpl.rcParams["font.size"] == 30
    plain, styled = ((tmp_path / f"{name}.png").read_bytes() for name in ("plain", "styled"))
    assert plain == styled


def test_spectrogram_peaks_at_the_tone_and_at_0_db(tmp_path: Path) -> None:
    spectra = write_tones(tmp_path)
    figure = drawn(spectrograms, lambda: spectrograms.plot_spectra(spectra, tmp_path / "a"))
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
    figure = drawn(spectrograms, lambda: spectrograms.plot_spectra(spectra, tmp_path / "a"))
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
        ("reference", 1.0),
        *((f"{name}/seed1/native/audio", 0.1) for name in two.variants),
    ]:
        (folder / sound).mkdir(parents=True)
        soundfile.write(folder / sound / "u1.flac", scale * samples, RATE)
    write_spectra(folder / "reference", folder, two, folder / "spectra.npz")
    return folder / "spectra.npz"


def test_spectrograms_name_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="no FLAC file"):
        write_spectra(tmp_path, tmp_path, STUDY, tmp_path / "x.npz")
    (tmp_path / "a.flac").write_bytes(b"nothing")
    with pytest.raises(TaaeError, match=r"a\.flac"):
        write_spectra(tmp_path, tmp_path, STUDY, tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(TaaeError, match=r"x\.npz"):
        spectrograms.plot_spectra(tmp_path / "x.npz", tmp_path / "a")
