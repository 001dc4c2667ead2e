"""The listening test in a real browser, by keyboard alone, from the page to the findings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from taae import cli
from taae.analysis.findings.table import findings
from taae.analysis.tables.comparisons import COLUMNS
from taae.analysis.tables.factorial import COLUMNS as FACTORIAL
from taae.listening.design import HIDDEN, DesignName, ListeningTest, Trial
from taae.listening.order import shuffled
from taae.study.load import load_study
from taae.study.overlay import merge, read_yaml
from tests.browser import chromium, needs_browser
from tests.unit.analysis.fake_scores import ARMS as OVERLAY
from tests.unit.analysis.fake_scores import DEMO
from tests.unit.listening.made import careful, listening_test, rating_file

pytestmark = needs_browser
LETTERS = "abcdefghijkl"


class Tab:
    """A tab of a browser; keys go to whatever has the focus."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Close the tab, and open a page of the disk in another one."""
        before = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        self.driver.switch_to.window(before)
        self.driver.close()
        self.driver.switch_to.window(new)
        self.driver.get(page.resolve().as_uri())

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.driver.execute_script(f"return {expression}")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression holds."""
        WebDriverWait(self.driver, 20, 0.02).until(lambda _: self.ask(expression), expression)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Tab]:
    """A browser whose console must have been silent at the end."""
    (tmp_path / "downloads").mkdir()
    with chromium(**{"download.default_directory": str(tmp_path / "downloads")}) as driver:
        yield Tab(driver)
        assert driver.get_log("browser") == []


def trials_of(test: ListeningTest, listener: str) -> list[Trial]:
    """The trials as the listener's page shows them, training first."""
    by_name = {trial.trial: trial for trial in test.trials}
    training = [trial for trial in test.trials if trial.training]
    order = shuffled([trial.trial for trial in test.rated], test.name, listener)
    return [*training, *(by_name[name] for name in order)]


def begin(page: Tab, test: ListeningTest, folder: Path, listener: str) -> None:
    page.open(folder / "send" / "index.html")
    page.ask("document.getElementById('listener').focus()")
    page.press(listener, Keys.ENTER)
    page.wait("player && !document.getElementById('volume').hidden")
    page.press(" ")
    page.wait("player.position > 0.05")
    page.press("n")


def wait_for_trial(page: Tab, number: int, total: int) -> None:
    heading = f"Trial {number} of {total}" if number else "Training"
    page.wait(f"document.getElementById('heading').textContent === {heading!r} && player")


def hear(page: Tab, letter: str) -> str:
    """Play a version of a MUSHRA test until it can be rated; return its name."""
    page.press(letter)
    name = page.ask(f"trial.shown[{LETTERS.index(letter)}]")
    page.wait(f"player.playing && player.selected === '{name}'")
    page.wait(f"document.activeElement === document.querySelector('input[data-signal={name}]')")
    return str(name)


def downloaded(page: Tab, folder: Path, listener: str, test: ListeningTest) -> Path:
    path = folder / "downloads" / f"ratings-{listener}-{test.name[:8]}.json"
    WebDriverWait(page.driver, 20).until(lambda _: path.exists(), path.name)
    return path


def level(arm: str) -> int:
    """What the listener of the browser gives an arm, a multiple of 10 that a digit can say."""
    return {HIDDEN: 100, "baseline": 60, "window-32": 40}.get(arm, 20)


def test_a_whole_mushra_test_by_keyboard_reaches_the_findings(
    page: Tab, results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a test"
    test = listening_test(folder, results, "mushra", n_utterances=3)
    shown = trials_of(test, "p01")
    half = 2  # trials after which the tab is closed
    begin(page, test, folder, "p01")
    for number, trial in enumerate(shown[:half]):
        rate_mushra(page, test, trial, number)
    wait_for_trial(page, half, 3)
    hear(page, "a")
    page.press("7")
    page.open(folder / "send" / "index.html")
    page.wait("document.activeElement.id === 'continue'")
    assert "Listener p01 has done 1 of 3 trials" in page.ask("document.body.innerText")
    page.press(Keys.ENTER)
    page.wait("player")
    page.press("n")
    wait_for_trial(page, half, 3)
    first = shuffled(shown[half].signals, test.name, "p01", shown[half].trial)[0]
    assert page.ask(f"document.querySelector('input[data-signal={first}]').value") == "70"
    for number, trial in list(enumerate(shown))[half:]:
        rate_mushra(page, test, trial, number)
    file = downloaded(page, tmp_path, "p01", test)

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
    words = ["compare", "--scores", scores, "--study", study_of(folder), "--output", compared]
    assert cli.main([str(word) for word in words]) == 0
    table = pd.read_csv(compared)
    row = table[(table["variant"] == "window-32") & (table["metric"] == "mushra")].iloc[0]
    # -20 of one listener; the two simulated ones hear no difference.
    assert row["difference"] == pytest.approx(-20 / 3)
    assert row["n_listeners"] == 3
    nothing = pd.DataFrame(columns=["point", "same_as", *COLUMNS]), pd.DataFrame(columns=FACTORIAL)
    found = findings(table, *nothing, load_study([study_of(folder)]))
    said = found[(found["variant"] == "window-32") & (found["metric"] == "mushra")]["sentence"]
    assert "MUSHRA changes by -6.667 points" in said.iloc[0]


def study_of(test: Path) -> Path:
    """Write the study of the arms that has the test's ratings among its metrics."""
    demo = read_yaml(DEMO) | {"variants": {}, "ablations": {}}
    config = merge(demo, read_yaml(OVERLAY)) | {"listening": {"tests": [str(test)]}}
    path = test / "study.json"
    path.write_text(json.dumps(config))
    return path


def rate_mushra(page: Tab, test: ListeningTest, trial: Trial, number: int) -> None:
    """Hear and rate every signal; then go on, which is refused before the last rating."""
    wait_for_trial(page, number, 3)
    page.press("r")
    names = shuffled(trial.signals, test.name, "p01", trial.trial)
    for place, name in enumerate(names):
        if place == len(names) - 1:
            page.press("n")
            said = page.ask("document.getElementById('missing').textContent")
            assert said == f"Not rated yet: {LETTERS[place].upper()}."
        assert hear(page, LETTERS[place]) == name
        value = level(trial.signals[name])
        page.press(Keys.END if value == 100 else str(value // 10))
        slider = f"document.querySelector('input[data-signal={name}]')"
        page.wait(f"{slider}.value === '{value}' && {slider}.ariaValueText !== 'not rated'")
    page.press("n")


@pytest.mark.parametrize(("design", "keys"), [("ab", "ab2"), ("dcr", "ra4")])
def test_a_whole_ab_or_dcr_test_by_keyboard(
    design: DesignName, keys: str, page: Tab, results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "test"
    test = listening_test(folder, results, design, n_utterances=1)
    shown = trials_of(test, "p01")
    begin(page, test, folder, "p01")
    for number in range(len(shown)):
        wait_for_trial(page, number, len(shown) - 1)
        page.press(keys[2])  # says nothing before both are heard
        page.press("n")
        assert page.ask("document.getElementById('missing').textContent") == "Not rated yet."
        for key in keys[:2]:
            page.press(key)
            page.wait("isHeard(player.selected)")
        page.press(keys[2], "n")
    file = downloaded(page, tmp_path, "p01", test)
    words = ["ratings", file, "--test", folder, "--output", tmp_path / "scores.csv"]
    assert cli.main([str(word) for word in words]) == 0
    for each in json.loads(file.read_text())["trials"]:
        values = [each["ratings"][name] for name in each["signals"]]
        assert values == ([0, 1] if design == "ab" else [4])


def test_listeners_hear_other_orders_and_none_loses_ratings(
    page: Tab, results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "test"
    test = listening_test(folder, results, "mushra", n_utterances=1)
    (trial, _) = test.trials
    orders = {}
    for written in ("p01", "p02", "P01"):
        begin(page, test, folder, written)
        listener = written.lower()
        wait_for_trial(page, 0, 1)
        known = page.ask("Object.values(answer().ratings)")
        assert known == ([] if listener not in orders else [70])
        hear(page, "a")
        page.press("7")
        orders[listener] = page.ask("trial.shown")
        assert orders[listener] == shuffled(trial.signals, test.name, listener, trial.trial)
    assert orders["p01"] != orders["p02"]


def test_a_part_is_looped(page: Tab, results: Path, tmp_path: Path) -> None:
    test = listening_test(tmp_path / "test", results, "mushra", n_utterances=1)
    begin(page, test, tmp_path / "test", "p01")
    wait_for_trial(page, 0, 1)
    page.press("a")
    page.wait("player.position > 0.1")
    ActionChains(page.driver).key_down(Keys.ALT).send_keys("[").key_up(Keys.ALT).perform()
    page.wait("player.position > region[0] + 0.25")
    page.press("]")
    start, end = page.ask("region")
    assert 0.1 < start < end - 0.2
    page.wait(f"player.position < {start} + 0.1")
    for _ in range(20):
        assert start - 0.05 <= page.ask("player.position") <= end + 0.1
    page.press("x")
    page.wait(f"player.position > {end} + 0.15")


def test_digits_rate_what_has_the_focus_and_a_mouse_can_rate_50(
    page: Tab, results: Path, tmp_path: Path
) -> None:
    test = listening_test(tmp_path / "test", results, "mushra", n_utterances=1)
    begin(page, test, tmp_path / "test", "p01")
    wait_for_trial(page, 0, 1)
    page.press("a", "7")  # too early
    assert page.ask("answer().ratings") == {}
    one, other = hear(page, "a"), hear(page, "b")
    ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB * 2).key_up(
        Keys.SHIFT
    ).perform()
    page.press("7")
    assert page.ask("document.activeElement.dataset.signal") == one
    assert page.ask("answer().ratings") == {one: 70}
    slider = page.driver.find_element(By.CSS_SELECTOR, f"input[data-signal={other}]")
    ActionChains(page.driver).click(slider).perform()
    assert page.ask("answer().ratings") == {one: 70, other: 50}


def test_space_plays_after_a_click(page: Tab, results: Path, tmp_path: Path) -> None:
    test = listening_test(tmp_path / "test", results, "mushra", n_utterances=1)
    begin(page, test, tmp_path / "test", "p01")
    wait_for_trial(page, 0, 1)
    page.driver.find_element(By.ID, "whole").click()
    page.press(" ")
    page.wait("player.playing")
    page.press(" ")
    page.wait("!player.playing")


def test_another_tab_that_goes_on_stops_this_one(page: Tab, results: Path, tmp_path: Path) -> None:
    test = listening_test(tmp_path / "test", results, "mushra", n_utterances=1)
    begin(page, test, tmp_path / "test", "p01")
    wait_for_trial(page, 0, 1)
    name = hear(page, "a")
    page.press("7")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.driver.get((tmp_path / "test" / "send" / "index.html").as_uri())
    page.press(Keys.ENTER, "n")
    wait_for_trial(page, 0, 1)
    page.press("a", "3")
    assert page.ask("answer().ratings") == {name: 30}
    page.driver.switch_to.window(first)
    page.wait("document.activeElement.id === 'continue'")
    page.press(Keys.ENTER, "n")
    wait_for_trial(page, 0, 1)
    assert page.ask("answer().ratings") == {name: 30}
