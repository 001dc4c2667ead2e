"""The sounds of the page and what it says of each: files, scores, texts."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import soundfile

from taae.analysis.run_files import SCORE_TEXT, usable
from taae.evaluation.metrics import METRICS
from taae.page.arms import RECORDING, Arm, Group
from taae.page.choice import choose
from taae.page.loudness import Audio, gains
from taae.page.sounds import ENDINGS, encode
from taae.page.spectrogram import draw, log_mel
from taae.study.config import Page
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv

Json = dict[str, Any]


def write_listening(
    arms: Sequence[Arm],
    groups: Sequence[Group],
    corpus: Path,
    page: Page,
    loudness: float,
    folder: Path,
) -> Json:
    """Write audio/N/ARM.ENDING and spectrograms/N/ARM.png of the chosen utterances into `folder`.

    All are brought to `loudness` (LUFS).

    Returns what listening.js reads: `arms`, `groups`, `metrics`, `utterances`, a `note` and the
    `ending` of the sounds.

    Raises:
        TaaeError: not even one utterance fits into `page.max_megabytes`, or a file is missing.
    """
    test = read_csv(corpus / "test.csv", ["utterance", "speaker", "text"], ["utterance", "text"])
    rows = {str(row["utterance"]): row for row in test.to_dict("records")}
    speakers = {name: str(row["speaker"]) for name, row in rows.items()}
    # Audio that was decoded elsewhere may lack some of them.
    whole = {
        name: speaker
        for name, speaker in speakers.items()
        if all((arm.audio / f"{name}.flac").is_file() for arm in arms)
    }
    chosen = choose(whole or speakers, page.utterances, page.seed)
    scores = {arm.key: _scores(arm, chosen) for arm in arms}
    utterances: list[Json] = []
    room = page.max_megabytes * 1e6
    for number, name in enumerate(chosen, 1):
        sounds, size = _write_utterance(arms, name, str(number), page.sounds, loudness, folder)
        room -= size
        if room < 0:
            for kind in ("audio", "spectrograms"):
                shutil.rmtree(folder / kind / str(number))
            break
        for arm in arms:
            sounds[arm.key] |= scores[arm.key][name]
        text = {"name": name, "speaker": speakers[name], "text": str(rows[name]["text"])}
        utterances.append({**text, "number": number, "sounds": sounds})
    if not utterances:
        raise TaaeError(
            f"page.max_megabytes: utterance '{chosen[0]}' as {len(arms)} recordings takes"
            f" {(page.max_megabytes * 1e6 - room) / 1e6:.1f} MB; allow more than"
            f" {page.max_megabytes:g}"
        )
    missing = len(chosen) - len(utterances)
    note = f"{missing} more would exceed {page.max_megabytes:g} MB (page.max_megabytes)."
    return {
        "arms": {arm.key: {"name": arm.name, "about": arm.about} for arm in arms},
        "groups": [asdict(group) for group in groups],
        "metrics": {
            name: {"label": metric.heading, "digits": 2 if metric.unit else 3}
            for name, metric in METRICS.items()
        },
        "utterances": utterances,
        "note": note if missing else "",
        "ending": ENDINGS[page.sounds],
    }


def _write_utterance(
    arms: Sequence[Arm], name: str, number: str, kind: str, loudness: float, folder: Path
) -> tuple[Json, int]:
    """Write the files of an utterance; return what is known of each, and their bytes."""
    audio = {arm.key: _read(arm.audio / f"{name}.flac") for arm in arms}
    decibels = gains(audio, loudness)
    loudest = log_mel(audio[RECORDING]).max() + decibels[RECORDING]
    sounds: Json = {}
    size = 0
    for key, samples in audio.items():
        matched = samples * 10 ** (decibels[key] / 20)
        sound = folder / "audio" / number / f"{key}.{ENDINGS[kind]}"
        picture = folder / "spectrograms" / number / f"{key}.png"
        for path in (sound, picture):
            path.parent.mkdir(parents=True, exist_ok=True)
        sound.write_bytes(encode(matched, kind))
        draw(log_mel(matched), loudest, picture)
        size += sound.stat().st_size + picture.stat().st_size
        sounds[key] = {"gain": round(decibels[key], 1), "scores": {}, "bitrate": None}
    return sounds, size


def _read(path: Path) -> Audio:
    try:
        samples, _ = soundfile.read(path, dtype="float64")
    except (OSError, soundfile.LibsndfileError) as error:
        raise TaaeError(f"{path}: not a readable audio file ({error})") from error
    return samples  # type: ignore[no-any-return]


def _scores(arm: Arm, names: Sequence[str]) -> dict[str, Json]:
    """Return the bitrate (bit/s) and the scores of each utterance of an arm."""
    if arm.scores is None:
        return {name: {} for name in names}
    table = read_csv(arm.scores, ["utterance", "metric", "value", "bitrate"], SCORE_TEXT)
    bitrate = float(table["bitrate"].iloc[0])
    table = table[usable(table)]
    found: dict[str, Json] = {}
    for name in names:
        own = table[table["utterance"] == name]
        scored = dict(zip(own["metric"], own["value"], strict=True))
        values = {name: round(float(scored[name]), 4) for name in METRICS if name in scored}
        known = None if math.isnan(bitrate) else round(bitrate)
        found[name] = {"scores": values, "bitrate": known}
    return found
