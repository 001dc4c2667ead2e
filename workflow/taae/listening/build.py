"""Write a listening test: a folder to send to listeners, and the key that stays here."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import yaml
from numpy.typing import NDArray

import taae.page
from taae.evaluation.decoded_files import NOT_INSTALLED, read_about
from taae.listening.design import (
    HIDDEN,
    KEY,
    LOW_ANCHOR,
    MID_ANCHOR,
    RATINGS,
    SENT,
    Arm,
    DesignName,
    ListeningTest,
    Trial,
    plan,
    settings_of,
)
from taae.page.choice import choose
from taae.page.loudness import gains
from taae.study.load import load_study
from taae.study.study import Study
from taae.utils.audio import RejectedError, read_audio, to_int16
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, make_folder, read_csv, write_json, write_text
from taae.utils.low_pass import Audio, low_pass
from taae.utils.sample_rate import SAMPLE_RATE

HERE = Path(__file__).parent
SHARED = Path(taae.page.__file__).parent
ANCHORS = {LOW_ANCHOR: 3500.0, MID_ANCHOR: 7000.0}  # Hz
# Time of every file (s since 1970): their own could tell the order of the arms.
TIME = 946684800
PAUSE = 12.0  # s; what a listener takes for a signal beside hearing it twice


def choose_arms(
    study: Study, results: Path, design: DesignName, ablation: str | None, names: Sequence[str]
) -> dict[str, Arm]:
    """Return the arms of a test: of an ablation, then those named; without either, all.

    All are the variants without controls, and the other codecs that are installed.
    """
    chosen: list[str] = []
    if ablation is not None:
        if ablation not in study.ablations:
            known = ", ".join(study.ablations) or "none"
            raise TaaeError(f"--ablation: no ablation '{ablation}'; there are {known}")
        chosen += study.ablations[ablation].arms
    elif not names and design == "ab":
        raise TaaeError("ab: compares a first arm with others: give --ablation or --arms")
    if not names and ablation is None:
        controls = {name for each in study.ablations.values() for name in each.controls}
        chosen += [name for name in study.variants if name not in controls]
        chosen += [name for name in study.codecs if not _absent(name, results)]
    for name in names:
        if name not in study.variants and name not in study.codecs:
            known = ", ".join([*study.variants, *study.codecs])
            raise TaaeError(f"--arms: no arm '{name}'; there are {known}")
        if name in study.codecs and (why := _absent(name, results)):
            raise TaaeError(f"--arms: {name} is not installed: {why}")
    return {name: _arm(name, study, results) for name in dict.fromkeys([*chosen, *names])}


def check_results(study: Study, results: Path, arms: Collection[str]) -> None:
    """Raise a `TaaeError` unless these arms and the corpus are set in the results as in a study."""
    path = results / "study.json"
    made = load_study([path])
    absent = [name for name in arms if name not in made.variants and name not in made.codecs]
    if absent:
        raise TaaeError(f"--study: {path} has no arm '{absent[0]}'; run this study first")
    if settings_of(made, arms) != settings_of(study, arms):
        raise TaaeError(
            f"--study: {path} has other settings of these arms or of the corpus; leave --study out,"
            " or run this study first"
        )


def write_test(
    study: Study,
    results: Path,
    output: Path,
    design: DesignName,
    arms: dict[str, Arm],
    n_utterances: int,
    seed: int,
    salt: str,
) -> ListeningTest:
    """Write a test of arms into a new folder and return it.

    Writes to `output`:
        send/: index.html, its scripts and style, audio/<name>.wav; what listeners get;
        key.json: which file is which arm;
        webmushra.yaml: the test for webMUSHRA, where that has such a page;
        ratings/: empty, for the files that come back.

    `salt` is any secret text: who knows it can compute which file is which arm.
    """
    for name in (KEY, SENT):
        if (output / name).exists():
            raise TaaeError(f"{output / name}: there is a test already; choose another folder")
    corpus = read_csv(
        results / "corpus" / "test.csv", ["utterance", "speaker"], ["utterance", "speaker"]
    )
    speakers: dict[str, str] = dict(zip(corpus["utterance"], corpus["speaker"], strict=True))
    chosen = choose(speakers, n_utterances + 1, seed)
    if len(chosen) <= n_utterances:
        raise TaaeError(
            f"--utterances: {n_utterances} and one for training are wanted; the test split has"
            f" {len(chosen)}"
        )
    trials = plan(design, list(arms), {name: speakers[name] for name in chosen}, salt)
    first = trials[0]
    settings = settings_of(study, arms)
    volume = f"{first.trial}-volume"
    test = ListeningTest(design, seed, salt, settings, arms, trials, volume)
    with atomic(output / SENT) as folder:
        files: dict[str, str] = {}
        seconds = 0.0
        # In the order of names: the order of files in a folder or an archive tells nothing then.
        for trial in sorted(trials, key=lambda trial: trial.trial):
            audio = _audio(trial, arms, study, results)
            if trial is first:
                audio[test.volume] = (
                    audio[trial.reference]
                    if trial.reference
                    else _read(results / "reference" / "audio", trial.utterance)
                )
            for name, gain in sorted(gains(audio, study.corpus["loudness"]).items()):
                samples = to_int16(audio[name] * 10 ** (gain / 20))
                files[name] = _write_wav(folder / "audio" / f"{name}.wav", samples)
                if not trial.training:
                    seconds += len(samples) / SAMPLE_RATE * 2 + PAUSE
        test = replace(test, files=files)
        _write_page(test, folder, minutes=max(1, round(seconds / 60)))
        for path in folder.rglob("*"):
            os.utime(path, (TIME, TIME))
    if design == "mushra":
        text = yaml.safe_dump(webmushra(test), sort_keys=False, allow_unicode=True, width=100)
        write_text(text, output / "webmushra.yaml")
    write_json(test.key(), output / KEY)
    make_folder(output / RATINGS)
    return test


def _write_page(test: ListeningTest, folder: Path, minutes: int) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("listen.html").render(
        manifest=test.manifest(),
        design=test.design,
        signals=max(len(trial.signals) for trial in test.trials),
        trials=len(test.rated),
        minutes=minutes,
    )
    write_text(page, folder / "index.html")
    for source in (SHARED / "page.css", SHARED / "player.js", HERE / "listen.js"):
        write_text(source.read_text(encoding="utf-8"), folder / source.name)


def webmushra(test: ListeningTest) -> dict[str, object]:
    """Return the MUSHRA test as a configuration of webMUSHRA (Schoeffler et al., 2018).

    Its paths hold where the sent folder lies in webMUSHRA's `configs`, named by the test. It tells
    which signal is the hidden reference: the one that it leaves out.
    """

    def path(name: str) -> str:
        return f"configs/{test.name}/audio/{name}.wav"

    def page(trial: Trial) -> dict[str, object]:
        # webMUSHRA adds a hidden reference itself; anchors are files here, as in the own page.
        tested = sorted(name for name, arm in trial.signals.items() if arm != HIDDEN)
        return {
            "type": "mushra",
            "id": trial.trial,
            "name": "Training" if trial.training else "Rate the quality",
            "content": "How good is each signal, compared with the reference?",
            "showWaveform": False,
            "enableLooping": True,
            "reference": path(trial.reference),
            "createAnchor35": False,
            "createAnchor70": False,
            "stimuli": {name: path(name) for name in tested},
        }

    training = [page(trial) for trial in test.trials if trial.training]
    return {
        "testname": "Listening test",
        "testId": test.name,
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": True,
        "remoteService": "service/write.php",
        "pages": [
            {
                "type": "volume",
                "id": "volume",
                "name": "Volume",
                "content": "Set a comfortable volume, and leave it there.",
                "stimulus": path(test.volume),
                "defaultVolume": 0.5,
            },
            *training,
            ["random", *(page(trial) for trial in test.rated)],
            {
                "type": "finish",
                "name": "Thank you",
                "content": "",
                "showResults": False,
                "writeResults": True,
            },
        ],
    }


def _audio(trial: Trial, arms: dict[str, Arm], study: Study, results: Path) -> dict[str, Audio]:
    """Return the signals of a trial by the names of their files, not yet at one loudness."""
    clean = _read(results / "reference" / "audio", trial.utterance)
    found = {trial.reference: clean} if trial.reference else {}
    for name, arm in trial.signals.items():
        if arm == HIDDEN:
            found[name] = clean
        elif arm in ANCHORS:
            found[name] = low_pass(clean, ANCHORS[arm])
        else:
            found[name] = _read(_decoded(arm, arms[arm], study, results), trial.utterance)
    return found


def _write_wav(path: Path, samples: NDArray[np.int16]) -> str:
    """Write 16-bit samples and return the SHA-256 of the file.

    WAV, because a browser finds a place in it exactly, and its size tells nothing of its content.
    """
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getbuffer())
    return hashlib.sha256(file.getbuffer()).hexdigest()


def _decoded(name: str, arm: Arm, study: Study, results: Path) -> Path:
    """Return the folder of an arm's audio."""
    if name in study.codecs:
        return results / "codecs" / name / "audio"
    return results / "decoded" / arm.run / "native" / "audio"


def _read(folder: Path, utterance: str) -> Audio:
    path = folder / f"{utterance}.flac"
    try:
        audio, _ = read_audio(path)
    except RejectedError as error:
        raise TaaeError(f"{path}: {error.detail}; run the study first") from error
    return audio[:, 0]


def _arm(name: str, study: Study, results: Path) -> Arm:
    if name in study.codecs:
        return Arm(name, 0, _about(name, results)["bitrate"])
    seed = study.seeds_of(name)[0]
    return Arm(f"{name}/seed{seed}", seed, float(study.variants[name].bitrate()))


def _about(name: str, results: Path) -> dict[str, Any]:
    return read_about(results / "codecs" / name / "codec.json")


def _absent(name: str, results: Path) -> str:
    """Return what a codec lacks that is not installed."""
    about = _about(name, results)
    return str(about["message"]) if about["status"] == NOT_INSTALLED else ""
