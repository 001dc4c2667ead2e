"""The page from a plain web server, and what a browser lets hear of its sounds."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate, resample_poly
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from taae.utils.sample_rate import SAMPLE_RATE
from tests.browser import chromium, needs_browser

pytestmark = needs_browser

RATE = 48000
# What is heard of a recording from each place on; a place below 0: without a seek.
HEAR = f"""
const [places, done] = arguments;
(async () => {{
  const context = new AudioContext({{ sampleRate: {RATE} }});
  await context.resume();
  const element = listening.player.element("reference");
  element.volume = 1;
  const tap = context.createScriptProcessor(1024, 1, 1);
  let heard = null;
  tap.onaudioprocess = ({{ inputBuffer }}) => heard?.push(...inputBuffer.getChannelData(0));
  context.createMediaElementSource(element).connect(tap).connect(context.destination);
  const found = [];
  for (const place of places) {{
    if (place >= 0) await new Promise((sought) => {{
      element.addEventListener("seeked", sought, {{ once: true }});
      element.currentTime = place;
    }});
    heard = [];
    await element.play();
    await new Promise((passed) => setTimeout(passed, 400));
    element.pause();
    found.push(heard);
    heard = null;
    await new Promise((passed) => setTimeout(passed, 100));
  }}
  done(found);
}})();
"""


class Host(SimpleHTTPRequestHandler):
    """Files and parts of files, as web hosts give them: without parts browsers find no place."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        body = (path / "index.html" if path.is_dir() else path).read_bytes()
        wanted = self.headers.get("Range")
        first, last = wanted.removeprefix("bytes=").split("-") if wanted else ("0", "")
        part = body[int(first) : int(last) + 1 if last else None]
        self.send_response(206 if wanted else 200)
        kind = "text/html" if path.is_dir() else self.guess_type(str(path))
        self.send_header("Content-Type", kind)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the browser has what it wants
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as found:
        yield found


@pytest.fixture(params=["results", "opus_results"])
def hosted(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """The URL of a page, a folder below the root of a host, and that folder."""
    results: Path = request.getfixturevalue(request.param)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(results))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page/", results / "page"
        server.shutdown()


def test_what_is_heard_is_what_is_at_the_place(browser: Chrome, hosted: tuple[str, Path]) -> None:
    """Oracle: where the first 20 ms that are heard stand in the file, as libsndfile reads it.

    Of three times the middle one: a busy machine loses pieces of what it taps.
    """
    url, folder = hosted
    (path,) = (folder / "audio" / "1").glob("reference.*")
    source = resample_poly(soundfile.read(path)[0], RATE // SAMPLE_RATE, 1)
    source = np.concatenate([np.zeros(RATE // 10), source])
    places = [-1, 0.51, 1.777, 0]
    late = [
        [
            1000 * (place_of(heard, source) - RATE / 10) / RATE - 1000 * max(place, 0)
            for place, heard in zip(places, tapped(browser, url, places), strict=True)
        ]
        for _ in range(3)
    ]
    assert np.abs(np.median(late, axis=0)).max() < 3  # ms; less than the player minds
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []


def tapped(browser: Chrome, url: str, places: list[float]) -> list[list[float]]:
    """Open the page anew and return what is heard from each place on."""
    browser.get(url)
    browser.find_element(By.TAG_NAME, "h1").click()  # only then sound is allowed
    browser.execute_async_script("listening.player.ready.then(() => arguments[0]())")
    assert browser.execute_script("return listening.player.failed.size") == 0
    return browser.execute_async_script(HEAR, places)


def place_of(heard: list[float], source: np.ndarray) -> int:
    """Return where in the source the first 20 ms of sound stand."""
    first = np.flatnonzero(np.abs(heard) > 1e-3)[0]
    sound = np.array(heard[first : first + RATE // 50])
    return int(correlate(source, sound, "valid").argmax())
