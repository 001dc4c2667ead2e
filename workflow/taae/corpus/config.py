"""The section `corpus` of a study: where the speech is from. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from taae.utils.errors import TaaeError
from taae.utils.settings import NonEmpty, Settings, Share, default


@dataclass(frozen=True)
class SyntheticTraining(Settings):
    """Speech of the training voices."""

    voices: PositiveInt = 40
    """Number of voices."""
    minutes: PositiveFloat = 61.0
    """[min] Length of the speech."""


@dataclass(frozen=True)
class SyntheticSplit(Settings):
    """Voices of the validation or the test, which training does not hear."""

    voices: PositiveInt = 4
    """Number of voices."""
    utterances: PositiveInt = 4
    """Utterances of each voice."""


@dataclass(frozen=True)
class Synthetic(Settings):
    """eSpeak NG voices that read generated English sentences; for `kind` synthetic."""

    unseen: Literal["families", "accents"] = "families"
    """What training has not heard of the voices of validation and test: families (their vocal
    tract: eSpeak's variants and those like them), or accents (the variant was heard, with other
    accents, pitches and rates)."""
    train: SyntheticTraining = SyntheticTraining()
    validation: SyntheticSplit = SyntheticSplit()
    test: SyntheticSplit = SyntheticSplit()


@dataclass(frozen=True)
class Folder(Settings):
    """Audio files of your own; for `kind` folder."""

    path: str = ""
    """Folder of the audio files."""
    manifest: str = ""
    """CSV with the columns path (relative to folder.path) and speaker, optionally split and text
    (what is said); empty: every audio file below path. {workflow} in it is the folder workflow/ of
    this repository."""
    speaker: str = "parent"
    """Without a manifest, the speaker of a file: parent (name of its folder), or a regular
    expression with one group, searched in the relative path."""
    validation_speakers: PositiveInt = 4
    """Speakers of the validation, drawn at random where there is no split column."""
    test_speakers: PositiveInt = 12
    """Speakers of the test, drawn at random where there is no split column."""
    test_utterances: PositiveInt = 20
    """Largest number of utterances of each test speaker."""


@dataclass(frozen=True)
class LibriSpeech(Settings):
    """LibriSpeech; for `kind` librispeech."""

    path: str = ""
    """The unpacked folder LibriSpeech, or where `download` brings it."""
    download: bool = False
    """Whether to fetch the subsets that are not in `path`."""
    url: Annotated[str, Field(pattern="^https?://")] = "https://www.openslr.org/resources/12"
    """What `download` appends SUBSET.tar.gz to; the published MD5 decides whether it got the right
    file, so any mirror will do."""
    train: NonEmpty[str] = default(["train-clean-100"])
    """Subsets of the training."""
    validation: NonEmpty[str] = default(["dev-clean"])
    """Subsets of the validation."""
    test: NonEmpty[str] = default(["test-clean"])
    """Subsets of the test."""
    test_utterances: PositiveInt = 20
    """Largest number of utterances of each test speaker."""


@dataclass(frozen=True)
class Drawn(Settings):
    """Speakers that are drawn for the splits, where no split lists what it takes."""

    validation_speakers: PositiveInt = 4
    """Speakers of the validation, drawn at random from draw_from."""
    test_speakers: PositiveInt = 12
    """Speakers of the test, drawn at random from draw_from."""
    test_utterances: PositiveInt = 20
    """Largest number of utterances of each test speaker."""


@dataclass(frozen=True)
class WebDataset(Drawn):
    """Tars of audio (WAV, FLAC, OGG, MP3) with labels (.json, .txt); for `kind` webdataset."""

    train: list[str] = default([])
    """Tars of the training: paths, also with wildcards, or URLs; {000..127} stands for the numbers
    from 000 to 127."""
    validation: list[str] = default([])
    """Tars of the validation."""
    test: list[str] = default([])
    """Tars of the test; of URLs, they are read twice, first for their speakers."""
    draw_from: list[str] = default([])
    """In place of the three lists: tars on this machine whose speakers are drawn for the splits,
    which reads the labels of all of them before."""
    speaker: Annotated[str, Field(min_length=1)] = "speaker"
    """Key of a sample's JSON that has the speaker; __key__ is the sample's own name in its tar."""
    speaker_rule: str = ""
    """Regular expression with one group that matches the speaker in this; empty: all of it."""
    text: str = ""
    """Key of a sample's JSON that has what is said; empty: the sample's .txt, if there is one."""
    checksums: str = ""
    """File as sha256sum writes it, with the tars by as much of their paths as tells them apart;
    a tar that it lists must have that SHA-256. Empty: nothing is compared."""


@dataclass(frozen=True)
class HuggingFace(Drawn):
    """A dataset of the Hugging Face hub, or one in its formats; for `kind` huggingface."""

    path: str = ""
    """user/name on the hub, or a folder; in Parquet or Arrow."""
    revision: Annotated[str, Field(pattern="^([0-9a-f]{40})?$")] = ""
    """Commit of the dataset, in full; a name on the hub needs one, since branches and tags move."""
    local_files_only: bool = False
    """Whether the dataset is taken from the cache of the hub (HF_HOME), where `hf download` has
    brought it, and the network is left alone; by itself it is streamed and not kept."""
    name: str = ""
    """Configuration of the dataset, such as a language; empty: its only or default one."""
    train: list[str] = default(["train"])
    """Splits of the dataset for the training."""
    validation: list[str] = default(["validation"])
    """Splits of the dataset for the validation."""
    test: list[str] = default(["test"])
    """Splits of the dataset for the test."""
    draw_from: list[str] = default([])
    """In place of the three lists: splits of the dataset whose speakers are drawn for training,
    validation and test."""
    audio: str = "audio"
    """Column of the audio."""
    speaker: str = "speaker_id"
    """Column of the speaker."""
    speaker_rule: str = ""
    """Regular expression with one group that matches the speaker in this column; empty: all."""
    text: str = ""
    """Column of what is said; empty: none."""


class Archive(NamedTuple):
    """`<subset>.tar.gz` as published (openslr.org, resource 12): bytes, and MD5 in hexadecimal."""

    size: int
    md5: str


ARCHIVES = {
    "dev-clean": Archive(337_926_286, "42e2234ba48799c1f50f24a7926300a1"),
    "dev-other": Archive(314_305_928, "c8d0bcc9cca99d4f8b62fcc847357931"),
    "test-clean": Archive(346_663_984, "32fa31d27d2e1cad72775fee3f4849a9"),
    "test-other": Archive(328_757_843, "fb5a50374b501bb3bac4815ee91d3135"),
    "train-clean-100": Archive(6_387_309_499, "2a93770f6d5c6c964bc36631d331a522"),
    "train-clean-360": Archive(23_049_477_885, "c0e676e450a7ff2f54aeade5171606fa"),
    "train-other-500": Archive(30_593_501_606, "d1a0fd59409feb2c614ce4d30c387708"),
}


@dataclass(frozen=True)
class Download:
    """Subsets of LibriSpeech that come from `url` into the folder `path`."""

    path: str
    url: str
    subsets: list[str]


@dataclass(frozen=True)
class Alteration(Settings):
    """How speech is altered: reverberation, then the band, then noise, then gain."""

    gain_db: Annotated[float, Field(ge=-80, le=40)] = 0.0
    """[dB] Gain, last of all; what it takes beyond full scale is clipped."""
    noise_db: Annotated[float, Field(ge=-40, le=100)] | None = None
    """[dB] Signal-to-noise ratio of each utterance, by the power of all of it; none: no noise."""
    noise: Literal["white", "pink", "babble"] = "white"
    """Kind of noise: white, pink (3 dB less per octave), or babble (other utterances of the set at
    once)."""
    band_hz: Annotated[float, Field(ge=1000, le=8000)] | None = None
    """[Hz] Frequency from which on nothing is left; 4000 is the band of a telephone."""
    reverb_seconds: Annotated[float, Field(gt=0, le=10)] | None = None
    """[s] Reverberation time (RT60) of a simulated room, another one for each utterance."""
    seed: NonNegativeInt = 1
    """Seed of noise and rooms."""


Kind = Literal["synthetic", "folder", "librispeech", "webdataset", "huggingface"]
KIND_NAMES: tuple[Kind, ...] = get_args(Kind)
LISTED = ("librispeech", "webdataset", "huggingface")  # each split lists what it takes


@dataclass(frozen=True)
class Speech(Settings):
    """Speech, and how it is prepared."""

    kind: Kind = "synthetic"
    """Which of the sections below is used."""
    seed: NonNegativeInt = 1
    """Seed of the synthetic speech and of random splits."""
    loudness: Annotated[float, Field(ge=-50, le=-5)] = -20.0
    """[LUFS] Loudness that every utterance is brought to."""
    min_seconds: Annotated[float, Field(ge=0.1)] = 0.5
    """[s] Shorter files are rejected."""
    max_seconds: PositiveFloat = 120.0
    """[s] Longer files are rejected: a file is read as a whole, so memory grows with its length."""
    max_rejected: Share = 0.05
    """Largest share of files that may be rejected before the job fails."""
    synthetic: Synthetic = Synthetic()
    folder: Folder = Folder()
    librispeech: LibriSpeech = LibriSpeech()
    webdataset: WebDataset = WebDataset()
    huggingface: HuggingFace = HuggingFace()

    def chosen(self) -> dict[str, Any]:
        """Return what determines the corpus: editing the rest of the section reruns nothing."""
        unused = set(KIND_NAMES) - {self.kind}
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
        subsets = list(dict.fromkeys(self.subsets()))
        for name in subsets:
            if name not in ARCHIVES:
                raise TaaeError(
                    f"corpus.librispeech: no subset '{name}' is published; there are"
                    f" {', '.join(ARCHIVES)}"
                )
        return Download(files.path, files.url, subsets)

    def subsets(self) -> list[str]:
        """Return the subsets of LibriSpeech that are used."""
        return self.librispeech.train + self.librispeech.validation + self.librispeech.test


@dataclass(frozen=True)
class Corpus(Speech):
    """The speech that models are trained and tested on."""

    shard_hours: Annotated[float, Field(ge=0)] = 0.0
    """[h] About how much speech each job prepares and each file of training audio holds; 0: one job
    and one file. The corpus is the same, and so are the models."""

    def chosen(self) -> dict[str, Any]:
        """Return what determines the corpus, as its shards do not."""
        settings = super().chosen()
        del settings["shard_hours"]
        return settings


MAIN = "main"  # the test set that is the corpus's own test split


@dataclass(frozen=True)
class Altered(Alteration):
    """Another test set, altered; for `kind` altered."""

    of: str = MAIN
    """The set that is altered: main (the corpus's own test split), or a name among tests."""
    reference: Literal["input", "clean"] = "input"
    """What decoded speech is compared with: input (the altered speech, as the codec was given it),
    or clean (the speech before all alterations)."""

    def check(self) -> None:
        """Raise a `TaaeError` for an alteration without effect."""
        if self.noise != "white" and self.noise_db is None:
            raise TaaeError(f"noise: {self.noise} has no level; give noise_db")
        untouched = {self.noise_db, self.band_hz, self.reverb_seconds} == {None}
        if untouched and self.gain_db == 0:
            raise TaaeError("changes nothing; give gain_db, noise_db, band_hz or reverb_seconds")


@dataclass(frozen=True)
class TestSet(Speech):
    """More speech to test on, by the keys of `corpus`; its test split alone is prepared."""

    kind: Literal[Kind, "altered"] = field()  # type: ignore[assignment]
    """Which of the sections below is used."""
    altered: Altered = Altered()

    def chosen(self) -> dict[str, Any]:
        """Return what determines the set, as for a corpus; an altered one needs the other set."""
        if self.kind == "altered":
            how = asdict(self.altered)
            del how["reference"]  # what is compared with the set changes nothing in it
            return {"kind": self.kind, "max_rejected": self.max_rejected, "altered": how}
        settings = super().chosen() | {"splits": ["test"]}
        del settings["altered"]
        if self.kind in LISTED:
            del settings[self.kind]["train"], settings[self.kind]["validation"]
        return settings

    def subsets(self) -> list[str]:
        """Return the subsets of LibriSpeech that are used."""
        return self.librispeech.test
