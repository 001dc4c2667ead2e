"""The page in a browser, opened from the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium, needs_browser, resize
from tests.unit.page.pages import study

pytestmark = needs_browser

ARMS = ["reference", *study().ablations["fsq"].arms]
TIMES = "return listening.player.names.map((name) => listening.player.element(name).currentTime)"
# Seconds that the place has moved more than the clock has, since the last call.
SLIP = """
const [now, place] = [performance.now() / 1000, listening.player.position];
const [then, before] = window.last ?? [now, place];
window.last = [now, place];
return place - before - (now - then);
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Chrome, request: pytest.FixtureRequest) -> Iterator[Chrome]:
    """The page at its sounds, which are loaded; at the end its console must have been silent."""
    results: Path = request.getfixturevalue(getattr(request, "param", "results"))
    resize(browser, 1280)
    browser.get((results / "page" / "index.html").as_uri())
    browser.execute_script("document.getElementById('listen').scrollIntoView()")
    loaded = "const done = arguments[0]; listening.player.ready.then(() => done())"
    browser.execute_async_script(loaded)
    yield browser
    assert browser.get_log("browser") == []


# With WAV files and with Opus files.
in_both = pytest.mark.parametrize("page", ["results", "opus_results"], indirect=True)


def press(page: Chrome, *keys: str) -> None:
    ActionChains(page).send_keys(*keys).perform()


def text(page: Chrome, place: str) -> str:
    return page.find_element(By.CSS_SELECTOR, place).text


def until(page: Chrome, holds: Callable[[], Any]) -> None:
    WebDriverWait(page, 20, 0.05).until(lambda _: holds())


def heard(page: Chrome) -> list[str]:
    """Return the arms whose button is pressed, and check that they alone can be heard."""
    volumes = page.execute_script(
        "return listening.player.names.filter((name) => {"
        "const element = listening.player.element(name);"
        "return !element.muted && element.volume > 0.001 })"
    )
    pressed = page.find_elements(By.CSS_SELECTOR, '#arms button[aria-pressed="true"]')
    assert [button.get_attribute("data-arm") for button in pressed] == volumes
    return volumes


@in_both
def test_every_recording_plays(page: Chrome) -> None:
    assert page.execute_script("return listening.player.names") == ARMS
    assert page.execute_script("return listening.player.failed.size") == 0
    assert page.execute_script(TIMES) == pytest.approx([0.0] * len(ARMS), abs=1e-5)
    press(page, Keys.SPACE)
    until(page, lambda: min(page.execute_script(TIMES)) > 0.3)
    until(page, lambda: not page.execute_script("return listening.player.playing"))  # its end
    assert page.execute_script(TIMES) == pytest.approx([3.0] * len(ARMS), abs=0.05)
    press(page, Keys.SPACE)  # once more from the start
    until(page, lambda: 0 < page.execute_script("return listening.player.position") < 2)
    press(page, Keys.SPACE)


@in_both
def test_a_change_of_codec_keeps_the_place(page: Chrome) -> None:
    page.execute_script("listening.repeat(0, 2.9)")
    press(page, Keys.SPACE)
    until(page, lambda: min(page.execute_script(TIMES)) > 0.3)
    for digit in "1234501":
        page.execute_script("listening.player.seek(0.5)")
        until(page, lambda: page.execute_script("return listening.player.position") > 0.7)
        page.execute_script(SLIP)
        press(page, digit)
        assert heard(page) == [ARMS[int(digit)]]
        until(page, lambda: page.execute_script("return listening.player.position") > 1)
        assert abs(page.execute_script(SLIP)) < 0.05


@in_both
def test_while_paused_it_keeps_the_place_too(page: Chrome) -> None:
    press(page, Keys.ARROW_RIGHT, "2")
    assert page.execute_script("return listening.player.position") == 1.0
    assert text(page, "#heard") == "levels-no-symmetric"
    assert text(page, "#time") == "1.0 of 3.0 s"
    press(page, "9")  # no such arm
    assert heard(page) == ["levels-no-symmetric"]


def test_sentences_groups_and_help_by_keyboard(page: Chrome) -> None:
    press(page, "3", Keys.ARROW_DOWN)  # which scrolls
    assert text(page, "#count") == "Sentence 1 of 2"
    page.execute_script("document.getElementById('next').focus()")
    press(page, Keys.ARROW_DOWN)
    assert text(page, "#count") == "Sentence 2 of 2"
    assert heard(page) == ["levels-no-hybrid"]
    press(page, Keys.ARROW_DOWN)
    assert text(page, "#count") == "Sentence 1 of 2"
    assert text(page, "#text").startswith("Say <script>")
    press(page, "?")
    assert page.find_element(By.ID, "help").is_displayed()
    press(page, Keys.ESCAPE)
    assert not page.find_element(By.ID, "help").is_displayed()
    link = page.find_element(By.CSS_SELECTOR, '.hear[data-ablation="window"]')
    page.execute_script("arguments[0].scrollIntoView({ block: 'center' })", link)
    link.click()
    assert page.execute_script("return listening.player.names[2]") == "window-32"


@in_both
def test_a_part_repeats(page: Chrome) -> None:
    box = page.find_element(By.ID, "picture")
    across = ActionChains(page).move_to_element_with_offset(box, 0, 0).click_and_hold()
    across.move_by_offset(box.size["width"] // 6, 0).release().perform()  # 1.5 to 2 s of 3 s
    start, end = page.execute_script("return listening.part")
    assert (start, end) == (pytest.approx(1.5, abs=0.05), pytest.approx(2.0, abs=0.05))
    passed = """
    const done = arguments[0];
    let [before, turns] = [0, 0];
    const look = () => {
      const { position } = listening.player;
      if (position < before) turns += 1;
      before = position;
      turns < 2 ? setTimeout(look, 20) : done(position);
    };
    look();
    """
    assert start - 0.05 <= page.execute_async_script(passed) <= end
    page.find_element(By.ID, "whole").click()
    assert page.execute_script("return listening.part") == [0, 0]


def test_a_cancelled_drag_repeats_nothing(page: Chrome) -> None:
    box = page.find_element(By.ID, "picture")
    across = ActionChains(page).move_to_element_with_offset(box, 0, 0).click_and_hold()
    across.move_by_offset(box.size["width"] // 6, 0).perform()
    assert page.execute_script("return listening.part")[1] > 0
    cancel = "arguments[0].dispatchEvent(new PointerEvent('pointercancel'))"
    page.execute_script(cancel, box)
    ActionChains(page).release().perform()
    assert page.execute_script("return listening.part") == [0, 0]


@in_both
def test_quick_steps_go_on_playing_at_the_same_place(page: Chrome) -> None:
    press(page, Keys.SPACE)
    page.execute_script("listening.step(1); listening.step(1)")
    until(page, lambda: page.execute_script("return listening.player.position") > 0.3)
    press(page, Keys.SPACE)
    page.execute_script("listening.player.seek(1.5)")
    page.execute_script("listening.show({ group: 1 }); listening.show({ group: 0 })")
    page.execute_async_script("listening.player.ready.then(arguments[0])")
    until(page, lambda: min(page.execute_script(TIMES)) > 1.49)
    assert page.execute_script(TIMES) == pytest.approx([1.5] * len(ARMS), abs=0.01)


def test_digits_choose_a_codec_after_a_group_was_chosen(page: Chrome) -> None:
    page.execute_script("document.getElementById('group').focus()")
    press(page, "2")
    assert heard(page) == [ARMS[2]]
    assert page.execute_script("return listening.group") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_follows_the_scheme(page: Chrome, width: int, scheme: str) -> None:
    resize(page, width, scheme)
    for part in page.find_elements(By.CSS_SELECTOR, "details"):
        page.execute_script("arguments[0].open = true", part)
    wide, room = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide == room > width - 20  # a scroll bar at the side is no harm
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(colour)
    assert (before == "rgb(255, 255, 255)") == (scheme == "light")
    button = page.find_element(By.ID, "theme")
    assert button.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    button.click()
    assert page.execute_script(colour) != before
    button.click()
    assert page.execute_script(colour) == before
    page.execute_script("localStorage.clear()")
