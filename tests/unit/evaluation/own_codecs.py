"""Codecs of one's own, for tests: their settings as a study has them, and a small corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from taae.corpus.config import MAIN
from taae.evaluation.other_codecs.config import OtherCodec
from taae.evaluation.other_codecs.run import run_other_codec
from taae.study.config import StudyConfig
from taae.utils.settings import validate
from tests.unit.corpus.corpora import write_corpus
from tests.unit.evaluation.speechlike import speech

NAMES = {"a-1": 0.71, "b-1": 1.03}  # seconds


def settings_of(kind: str, **keys: Any) -> OtherCodec:
    """Return checked settings."""
    written = {"codecs": {"mine": {"kind": kind, **keys}}}
    found: OtherCodec = validate(StudyConfig, written).codecs["mine"]
    found.check([MAIN])
    return found


def corpus(folder: Path) -> Path:
    """Write a corpus of two utterances; return its folder."""
    return write_corpus(
        folder / "corpus", {name: speech(s, n) for n, (name, s) in enumerate(NAMES.items())}
    )


def coded(settings: OtherCodec, folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Code the corpus in `folder` to out/; return codec.json, and the table of utterances."""
    run_other_codec("mine", settings, folder / "corpus", folder / "out")
    about = json.loads((folder / "out/codec.json").read_bytes())
    return about, pd.read_csv(folder / "out/utterances.csv")
