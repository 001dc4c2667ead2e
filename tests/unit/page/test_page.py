"""The folder of the page: it is whole, it needs nothing else, and it shows texts as texts."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
from PIL import Image

from taae.evaluation.config import Lengths
from taae.page.arms import arms, groups
from taae.page.captions import caption
from taae.page.listening import write_listening
from taae.page.spectrogram import BANDS, draw, log_mel
from taae.page.verdicts import WIDTH
from taae.page.verdicts import findings as shown
from taae.page.write import write_page
from taae.study.config import Page
from taae.utils.errors import TaaeError
from tests.offline import network
from tests.unit.page.pages import HOSTILE, config, findings, study


class Parts(HTMLParser):
    """What a page has: start tags with attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [attributes[n] for _, attributes in self.tags for n in names if n in attributes]


@pytest.fixture(scope="module")
def parts(results: Path) -> Parts:
    return Parts((results / "page" / "index.html").read_text(encoding="utf-8"))


def data_of(results: Path) -> dict:
    text = (results / "page" / "index.html").read_text(encoding="utf-8")
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])


def test_everything_it_refers_to_is_in_the_folder(results: Path, parts: Parts) -> None:
    page = results / "page"
    links = [link for link in parts.values("href", "src") if not link.startswith(("#", "data:,"))]
    assert {"page.css", "player.js", "tables/findings.csv", "figures/fsq/forest.png"} <= set(links)
    assert [link for link in links if not (page / unquote(link)).is_file()] == []
    targets = [link[1:] for link in parts.values("href") if link.startswith("#")]
    ids = parts.values("id")
    assert set(targets) <= set(ids)
    assert len(ids) == len(set(ids))
    for name in parts.values("aria-labelledby"):
        assert name in ids


def test_it_asks_the_network_for_nothing(results: Path) -> None:
    assert network(results / "page") == {}


@pytest.mark.parametrize(
    "text", ['<script src="//a.net/b.js">', "fetch(x)", "url(//a.net/b.css)", "'https://a.net'"]
)
def test_what_would_ask_the_network_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.js").write_text("// a comment")
    (tmp_path / "in" / "b.html").write_text(text)
    assert network(tmp_path).keys() == {"in/b.html"}


def test_texts_of_users_stay_texts(results: Path, parts: Parts) -> None:
    text = (results / "page" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert f"Window {HOSTILE}" in parts.text
    assert f"window-32 {HOSTILE}" in parts.text  # the sentence of a finding
    assert [a.get("src", a.get("id")) for tag, a in parts.tags if tag == "script"] == [
        *("player.js", "theme.js", "listening.js", "data")
    ]
    assert not [name for _, attributes in parts.tags for name in attributes if name[:2] == "on"]
    assert {sound["text"] for sound in data_of(results)["utterances"]} == {f"Say {HOSTILE}"}


def test_hashes_and_versions_are_shown_as_they_are(results: Path) -> None:
    text = (results / "page" / "index.html").read_text(encoding="utf-8")
    assert "<td>baseline</td><td>012345678901</td><td>3.10</td>" in text


def test_pictures_have_texts_and_headings_an_order(parts: Parts) -> None:
    assert all(attributes.get("alt") for tag, attributes in parts.tags if tag == "img")
    levels = [int(tag[1]) for tag, _ in parts.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_bold_and_code_are_marked_up(results: Path) -> None:
    text = (results / "page" / "index.html").read_text(encoding="utf-8")
    assert '<td class="number"><strong>0.8</strong> ± 0.1</td>' in text
    assert "residual FSQ put in its place" in text  # a caption
    found = caption("comparisons", {"statistics": {"confidence": 0.9}})
    assert "90% t interval" in found
    assert "<code>p_holm</code>" in found


def test_listening_has_every_arm_and_its_scores(results: Path) -> None:
    data, known = data_of(results), study()
    assert len(data["utterances"]) == 2
    assert len({utterance["speaker"] for utterance in data["utterances"]}) == 2
    titles = [group["title"] for group in data["groups"]]
    fsq = known.ablations["fsq"]
    assert titles[0] == fsq.title  # what changes nothing comes last
    assert titles[1] == f"{fsq.title}, decoded at 6@own"
    assert titles[-2:] == [known.ablations["noise"].title, "All arms"]
    assert data["groups"][0]["arms"] == ["reference", *fsq.arms]
    others = [f"{arm}_6@own" for arm in fsq.arms if arm not in fsq.controls]
    assert data["groups"][1]["arms"] == ["reference", *others]
    assert set(data["groups"][-1]["arms"]) == {"reference", *known.variants}  # no other codec ran
    for utterance in data["utterances"]:
        assert set(utterance["sounds"]) == set(data["arms"])
        for key, sound in utterance["sounds"].items():
            file = f"{utterance['number']}/{key}"
            audio = soundfile.info(results / "page" / "audio" / f"{file}.wav")
            assert (audio.samplerate, audio.channels, audio.frames) == (16000, 1, 48000)
            assert (results / "page" / "spectrograms" / f"{file}.png").is_file()
            assert set(sound["scores"]) == (set() if key == "reference" else {"si_sdr", "stoi"})
    about = data["arms"]["window-32"]["about"]
    assert about == "window of 32 keys instead of 128; attention.window: 32"


def test_scores_are_compared_with_the_reference_of_the_ablation_alone(results: Path) -> None:
    known = study()
    reference = known.ablations["fsq"].reference
    heard = [arm for arm in arms(known, results) if arm.key != f"{reference}_6@own"]
    found = groups(known, heard)
    assert not [group for group in found if "decoded at" in group.title]
    assert {group.base for group in found} <= {arm.key for arm in heard}
    assert found[0].base == reference


def test_what_is_left_out_is_not_heard(results: Path) -> None:
    known = study(leave_out=["6@own", "window-32"])
    heard = arms(known, results)
    assert {arm.key for arm in heard} == {"reference", *known.variants} - {"window-32"}
    found = {group.title: group.arms for group in groups(known, heard)}
    window = known.ablations["window"]
    assert found[window.title] == ["reference", "baseline", "window-64", "window-256"]
    assert not [title for title in found if "decoded at" in title]


def test_opus_takes_less_than_half_and_the_page_says_so(results: Path, opus_results: Path) -> None:
    data, text = data_of(opus_results), (opus_results / "page" / "index.html").read_text()
    assert "coded once more, as Opus at 96 kbit/s" in " ".join(text.split())
    assert "Opus" not in (results / "page" / "index.html").read_text()
    files = sorted((opus_results / "page" / "audio").rglob("*.*"))
    assert {path.suffix for path in files} == {".ogg"} == {f".{data['ending']}"}
    assert len(files) == len(data["arms"]) * len(data["utterances"])
    exact = sum(path.stat().st_size for path in (results / "page" / "audio").rglob("*.wav"))
    assert sum(path.stat().st_size for path in files) < exact / 2


def test_the_foot_says_whose_speech_it_is(results: Path, tmp_path: Path) -> None:
    for path in results.iterdir():
        if path.name != "page":
            (tmp_path / path.name).symlink_to(path)
    told = f"LibriSpeech {HOSTILE}, CC BY 4.0, https://www.openslr.org/12"
    write_page(study(attribution=told), config(), tmp_path)
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    foot = text.partition("<footer>")[2].partition("</footer>")[0]
    parts = Parts(foot)
    assert parts.text == told
    assert parts.values("href") == ["https://www.openslr.org/12"]
    assert [tag for tag, _ in parts.tags] == ["p", "a"]
    assert "<footer>" not in (results / "page" / "index.html").read_text(encoding="utf-8")


def test_a_small_limit_leaves_utterances_out_and_says_so(results: Path, tmp_path: Path) -> None:
    known = study()
    heard = [arm for arm in arms(known, results) if arm.key in ("reference", "baseline", "levels")]

    def write(page: Page) -> dict:
        return write_listening(heard, [], results / "corpus", page, -20.0, tmp_path)

    write(Page(utterances=1))
    one = sum(path.stat().st_size for path in tmp_path.rglob("*.*")) / 1e6
    found = write(Page(utterances=6, max_megabytes=2.5 * one))
    assert len(found["utterances"]) == 2
    assert found["note"].startswith("4 more would exceed")
    assert sorted(path.name for path in (tmp_path / "audio").iterdir()) == ["1", "2"]
    with pytest.raises(TaaeError, match=r"page\.max_megabytes: .* MB; allow more"):
        write(Page(max_megabytes=0.5 * one))


def test_an_utterance_that_an_arm_lacks_is_not_drawn(results: Path, tmp_path: Path) -> None:
    """As of a codec whose audio was decoded elsewhere."""
    heard = [arm for arm in arms(study(), results) if arm.key in ("reference", "baseline")]
    names = sorted(path.stem for path in heard[1].audio.iterdir())
    partial = tmp_path / "audio"
    partial.mkdir()
    for name in names[1:]:
        (partial / f"{name}.flac").symlink_to(heard[1].audio / f"{name}.flac")
    heard = [heard[0], replace(heard[1], audio=partial)]
    page = Page(utterances=len(names))
    found = write_listening(heard, [], results / "corpus", page, -20.0, tmp_path / "page")
    assert sorted(utterance["name"] for utterance in found["utterances"]) == names[1:]


def test_what_is_missing_is_one_line_and_leaves_the_page_as_it_was(results: Path) -> None:
    before = (results / "page" / "index.html").read_bytes()
    longer = replace(study(), lengths=Lengths(seconds=[1.0], ablation="window"))
    with pytest.raises(TaaeError, match=r"figures/lengths\.png: cannot be copied"):
        write_page(longer, config(), results)
    assert (results / "page" / "index.html").read_bytes() == before


def test_drawings_keep_order_and_share_their_scale() -> None:
    rows = shown(findings(study()), {"fsq": "si_sdr", "window": "si_sdr", "noise": "si_sdr"})
    for row in rows:
        at = row.drawing
        assert 0 <= at["low"] < at["difference"] < at["high"] <= WIDTH / 2
        assert ("noise" in at) == (row.noise != "unknown")
    fsq = [row for row in rows if row.ablation == "fsq" and row.metric.startswith("SI-SDR")]
    differences = np.array([row.drawing["difference"] for row in fsq])
    assert (np.diff(differences) < 0).all()  # ever further from zero
    (control, *_) = study().ablations["fsq"].controls
    assert [row.main for row in rows if row.variant == control] == [True, False]
    assert fsq[0].interval.startswith("−")


def test_worse_is_left_where_lower_is_better_too() -> None:
    table = findings(study()).assign(metric="mel_distance")  # whose differences are negative
    for row in shown(table, {}):
        assert WIDTH / 2 <= row.drawing["high"] < row.drawing["difference"] < row.drawing["low"]


def test_a_tone_is_where_it_should_be(tmp_path: Path) -> None:
    """Oracle: Slaney's scale, 15 mels at 1 kHz of 35.16 below 8 kHz."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    levels = log_mel(tone)
    top = 15 + np.log(8) / (np.log(6.4) / 27)
    assert levels[:, 50].argmax() == pytest.approx(15 / top * BANDS - 1, abs=1)
    draw(levels, float(levels.max()), tmp_path / "tone.png")
    with Image.open(tmp_path / "tone.png") as picture:
        assert picture.size == levels.shape[::-1]
        light = np.asarray(picture.convert("L"))
    assert light[:, 50].argmax() == BANDS - 1 - levels[:, 50].argmax()
