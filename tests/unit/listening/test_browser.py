"""The listening test in a real browser, by keyboard alone, from the page to the comparisons."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from selenium.webdriver.common.keys import Keys

from taae import cli
from taae.listening.design import HIDDEN, ListeningTest, Trial
from taae.listening.order import shuffled
from tests.browser import Browser, browser, until
from tests.unit.analysis.fake_scores import ARMS as OVERLAY
from tests.unit.analysis.fake_scores import DEMO
from tests.unit.listening.made import careful, listening_test, rating_file

pytestmark = pytest.mark.slow
LETTERS = "abcdefghijkl"


def trials_of(test: ListeningTest, listener: str) -> list[Trial]:
    """The trials as the listener's page shows them, training first."""
    by_name = {trial.trial: trial for trial in test.trials}
    training = [trial for trial in test.trials if trial.training]
    order = shuffled([trial.trial for trial in test.rated], test.name, listener)
    return [*training, *(by_name[name] for name in order)]


def begin(page: Browser, test: ListeningTest, folder: Path, listener: str) -> None:
    page.open(folder / "send" / "index.html")
    page.press(listener, Keys.ENTER)
    page.wait("player && !document.getElementById('volume').hidden")
    page.press(" ")
    page.wait("player.position > 0.05")
    page.press("n")


def wait_for_trial(page: Browser, number: int, total: int) -> None:
    heading = f"Trial {number} of {total}" if number else "Training"
    page.wait(f"document.getElementById('heading').textContent === {heading!r} && player")


def downloaded(folder: Path, listener: str, test: ListeningTest) -> Path:
    path = folder / f"ratings-{listener}-{test.name[:8]}.json"
    until(path.exists, f"{path.name} is saved")
    return path


def level(arm: str) -> int:
    """What the listener of the browser gives an arm, a multiple of 10 that a digit can say."""
    return {HIDDEN: 100, "baseline": 60, "window-32": 40}.get(arm, 20)


def test_a_whole_mushra_test_by_keyboard_reaches_the_comparisons(
    results: Path, tmp_path: Path
) -> None:
    folder, profile, downloads = (tmp_path / name for name in ("a test", "profile", "downloads"))
    test = listening_test(folder, results, "mushra", n_utterances=3)
    shown = trials_of(test, "p01")
    half = 2  # trials after which the browser is closed
    with browser(profile, downloads) as page:
        begin(page, test, folder, "p01")
        for number, trial in enumerate(shown[:half]):
            rate_mushra(page, test, trial, number)
        wait_for_trial(page, half, 3)
        page.press("a", "7")
        page.wait(
            f"stored().place === {half} && Object.keys(stored().answers).length === {half + 1}"
        )
        assert page.complaints() == []
    with browser(profile, downloads) as page:
        page.open(folder / "send" / "index.html")
        page.wait("document.activeElement.id === 'continue'")
        page.press(Keys.ENTER)
        page.wait("player")
        page.press("n")
        wait_for_trial(page, half, 3)
        first = shuffled(shown[half].signals, test.name, "p01", shown[half].trial)[0]
        assert page.ask(f"document.querySelector('input[data-signal={first}]').value") == "70"
        for number, trial in list(enumerate(shown))[half:]:
            rate_mushra(page, test, trial, number)
        file = downloaded(downloads, "p01", test)
        assert page.complaints() == []

    rated = json.loads(file.read_text())
    assert [each["trial"] for each in rated["trials"]] == [trial.trial for trial in shown[1:]]
    for each, trial in zip(rated["trials"], shown[1:], strict=True):
        assert {trial.signals[name]: value for name, value in each["ratings"].items()} == {
            arm: level(arm) for arm in trial.signals.values()
        }
    others = [
        rating_file(tmp_path / f"{name}.json", test, name, careful) for name in ("p02", "p03")
    ]
    scores, compared = tmp_path / "scores.csv", tmp_path / "comparisons.csv"
    words = ["ratings", file, *others, "--test", folder, "--output", scores]
    assert cli.main([str(word) for word in words]) == 0
    study = tmp_path / "study.yaml"
    study.write_text(
        yaml.safe_dump({"listening": {"tests": [str(folder)]}, "metrics": {"names": ["stoi"]}})
    )
    words = ["compare", "--scores", scores, "--study", DEMO, OVERLAY, study, "--output", compared]
    assert cli.main([str(word) for word in words]) == 0
    table = pd.read_csv(compared)
    row = table[(table["variant"] == "window-32") & (table["metric"] == "mushra")].iloc[0]
    # -20 of one listener; the two simulated ones hear no difference.
    assert row["difference"] == pytest.approx(-20 / 3)


def rate_mushra(page: Browser, test: ListeningTest, trial: Trial, number: int) -> None:
    """Hear and rate every signal; then go on, which is refused before the last rating."""
    wait_for_trial(page, number, 3)
    page.press("r")
    names = shuffled(trial.signals, test.name, "p01", trial.trial)
    for place, name in enumerate(names):
        if place == len(names) - 1:
            page.press("n")
            said = page.ask("document.getElementById('missing').textContent")
            assert said == f"Not rated yet: {LETTERS[place].upper()}."
        page.press(LETTERS[place])
        page.wait(f"player.playing && player.selected === '{name}'")
        value = level(trial.signals[name])
        page.press(Keys.END if value == 100 else str(value // 10))
        slider = f"document.querySelector('input[data-signal={name}]')"
        page.wait(f"{slider}.value === '{value}' && {slider}.ariaValueText !== 'not rated'")
    page.press("n")


@pytest.mark.parametrize(("design", "keys"), [("ab", "ab2"), ("dcr", "ra4")])
def test_a_whole_ab_or_dcr_test_by_keyboard(
    design: str, keys: str, results: Path, tmp_path: Path
) -> None:
    folder, downloads = tmp_path / "test", tmp_path / "downloads"
    test = listening_test(folder, results, design, n_utterances=1)  # type: ignore[arg-type]
    shown = trials_of(test, "p01")
    with browser(tmp_path / "profile", downloads) as page:
        begin(page, test, folder, "p01")
        for number in range(len(shown)):
            wait_for_trial(page, number, len(shown) - 1)
            page.press(keys[2])  # says nothing before both are heard
            page.press("n")
            assert page.ask("document.getElementById('missing').textContent") == "Not rated yet."
            for key in keys[:2]:
                page.press(key)
                page.wait("player.playing")
            page.press(keys[2], "n")
        file = downloaded(downloads, "p01", test)
        assert page.complaints() == []
    words = ["ratings", file, "--test", folder, "--output", tmp_path / "scores.csv"]
    assert cli.main([str(word) for word in words]) == 0
    for each in json.loads(file.read_text())["trials"]:
        values = [each["ratings"][name] for name in each["signals"]]
        assert values == ([0, 1] if design == "ab" else [4])


def test_a_part_is_looped_and_two_listeners_hear_other_orders(
    results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "test"
    test = listening_test(folder, results, "mushra", n_utterances=1)
    orders = {}
    with browser(tmp_path / "profile", tmp_path / "downloads") as page:
        for listener in ("p01", "p02"):
            begin(page, test, folder, listener)
            wait_for_trial(page, 0, 1)
            orders[listener] = page.ask("trial.shown")
            trial = test.trials[0]
            assert orders[listener] == shuffled(trial.signals, test.name, listener, trial.trial)
        page.press("a")
        page.wait("player.position > 0.1")
        page.press("[")
        page.wait("player.position > region[0] + 0.25")
        page.press("]")
        start, end = page.ask("region")
        assert 0.1 < start < end - 0.2
        page.wait(f"player.position < {start} + 0.1")
        for _ in range(20):
            assert start - 0.05 <= page.ask("player.position") <= end + 0.1
        page.press("x")
        page.wait(f"player.position > {end} + 0.15")
        assert page.complaints() == []
    assert orders["p01"] != orders["p02"]
