"""The section `corpus` of a study: where the speech is from. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from taae.corpus.archives import ARCHIVES
from taae.utils.errors import TaaeError
from taae.utils.settings import Settings, key

TEST_UTTERANCES = "largest number per test speaker"


@dataclass(frozen=True)
class SyntheticTraining(Settings):
    """Speech of the training voices."""

    voices: int = key(40, "number of voices", ge=1)
    minutes: float = key(61.0, "length of the speech", "min", gt=0)


@dataclass(frozen=True)
class SyntheticSplit(Settings):
    """Voices of the validation or the test, which training does not hear."""

    voices: int = key(4, "number of voices", ge=1)
    utterances: int = key(4, "utterances of each voice", ge=1)


@dataclass(frozen=True)
class Synthetic(Settings):
    """eSpeak NG voices that read generated English sentences; for `kind` synthetic."""

    unseen: Literal["families", "accents"] = key(
        "families",
        "what training has not heard of the voices of validation and test: families (their vocal"
        " tract: eSpeak's variants and those like them), or accents (the variant was heard, with"
        " other accents, pitches and rates)",
    )
    train: SyntheticTraining = key(SyntheticTraining(), "the training voices")
    validation: SyntheticSplit = key(SyntheticSplit(), "the validation voices")
    test: SyntheticSplit = key(SyntheticSplit(), "the test voices")


@dataclass(frozen=True)
class Folder(Settings):
    """Audio files of your own; for `kind` folder."""

    path: str = key("", "folder of the audio files")
    manifest: str = key(
        "",
        "CSV with the columns path (relative to folder.path) and speaker, optionally split; empty:"
        " every audio file below path",
    )
    speaker: str = key(
        "parent",
        "without a manifest, the speaker of a file: parent (name of its folder), or a regular"
        " expression with one group, searched in the relative path",
    )
    validation_speakers: int = key(4, "drawn at random where there is no split column", ge=1)
    test_speakers: int = key(12, "drawn at random where there is no split column", ge=1)
    test_utterances: int = key(20, TEST_UTTERANCES, ge=1)


@dataclass(frozen=True)
class LibriSpeech(Settings):
    """LibriSpeech; for `kind` librispeech."""

    path: str = key("", "the unpacked folder LibriSpeech; where download brings it")
    download: bool = key(False, "fetch the subsets that are not in path")
    url: str = key(
        "https://www.openslr.org/resources/12",
        "what download appends SUBSET.tar.gz to; the published MD5 decides whether it got the right"
        " file, so any mirror will do",
        pattern="^https?://",
    )
    train: list[str] = key(["train-clean-100"], "subsets of the training", min_length=1)
    validation: list[str] = key(["dev-clean"], "subsets of the validation", min_length=1)
    test: list[str] = key(["test-clean"], "subsets of the test", min_length=1)
    test_utterances: int = key(20, TEST_UTTERANCES, ge=1)


@dataclass(frozen=True)
class Download:
    """Subsets of LibriSpeech that come from `url` into the folder `path`."""

    path: str
    url: str
    subsets: list[str]


@dataclass(frozen=True)
class Corpus(Settings):
    """The speech that models are trained and tested on."""

    kind: Literal["synthetic", "folder", "librispeech"] = key(
        "synthetic", "which of the three sections below is used"
    )
    seed: int = key(1, "of the synthetic speech and of random splits", ge=0)
    loudness: float = key(-20.0, "that every utterance is brought to", "LUFS", ge=-50, le=-5)
    min_seconds: float = key(0.5, "shorter files are rejected", "s", ge=0.1)
    max_seconds: float = key(
        120.0,
        "longer files are rejected: a file is read as a whole, so memory grows with its length",
        "s",
        gt=0,
    )
    max_rejected: float = key(
        0.05, "largest share of files that may be rejected before the job fails", ge=0, le=1
    )
    synthetic: Synthetic = key(Synthetic(), "built-in speech")
    folder: Folder = key(Folder(), "your own recordings")
    librispeech: LibriSpeech = key(LibriSpeech(), "the published corpus")

    def chosen(self) -> dict[str, Any]:
        """Return what determines the corpus: editing the rest of the section reruns nothing."""
        unused = {"synthetic", "folder", "librispeech"} - {self.kind}
        settings = {name: value for name, value in asdict(self).items() if name not in unused}
        if self.kind == "librispeech":  # where its files came from changes nothing in them
            del settings["librispeech"]["download"], settings["librispeech"]["url"]
        return settings

    def download(self) -> Download:
        """Return what is to be fetched.

        Raises:
            TaaeError: there is no folder for it, or no such subset.
        """
        files = self.librispeech
        if self.kind != "librispeech":
            return Download("", "", [])
        if not files.download:
            return Download(files.path, files.url, [])
        if not files.path:
            raise TaaeError("corpus.librispeech.path is empty: set it to the folder to download to")
        subsets = list(dict.fromkeys(files.train + files.validation + files.test))
        for name in subsets:
            if name not in ARCHIVES:
                raise TaaeError(
                    f"corpus.librispeech: no subset '{name}' is published; there are"
                    f" {', '.join(ARCHIVES)}"
                )
        return Download(files.path, files.url, subsets)
