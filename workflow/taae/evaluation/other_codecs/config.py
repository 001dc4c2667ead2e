"""The section `codecs` of a study: other codecs, each kind with keys of its own. No torch.

`taae.evaluation.other_codecs.kinds` has the codec of each kind.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from taae.utils.errors import TaaeError
from taae.utils.files import file_sha256
from taae.utils.fingerprint import digest
from taae.utils.programs import find_program, python_file, stamp
from taae.utils.settings import Settings, default

CODEC2_BITRATES = (700, 1200, 1300, 1400, 1600, 2400, 3200)
AUDIO_SUFFIXES = (".flac", ".wav")  # of a folder
PLACEHOLDERS = ("input", "coded", "output", "bitrate")  # of commands, in braces
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
CLASS = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*|.+\.py):(?P<name>[^\W\d]\w*)")


class OtherCodecSettings(Settings):
    """What the settings of every kind have; `align`: whether the delay is to be found."""

    align = False

    def check(self, _: list[str]) -> None:
        """Raise a `TaaeError` for what no single key can tell; takes the study's test sets."""

    def of(self, _: str) -> Self:
        """Return the settings for one of the test sets."""
        return self

    def dependencies(self) -> list[str]:
        """Return what the codec takes from outside of the study: another one reruns it."""
        return []


def _codec2_bitrate(bitrate: float) -> float:
    if bitrate not in CODEC2_BITRATES:
        known = ", ".join(map(str, CODEC2_BITRATES))
        raise ValueError(f"codec2 has {known} bit/s, not {bitrate:g}")
    return bitrate


def _placeholders(command: str) -> str:
    """Refuse a command that cannot be split into words, or has a placeholder that is not known."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"cannot be split into words as a shell does ({error})") from None
    if not words:
        raise ValueError("is empty")
    for name in PLACEHOLDER.findall(command):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{name}}}; there are {known}")
    return command


def _class_name(written: str) -> str:
    if not CLASS.fullmatch(written):
        raise ValueError(f"'{written}' is neither package.module:Class nor path/to/file.py:Class")
    return written


CommandLine = Annotated[str, AfterValidator(_placeholders)]


@dataclass(frozen=True)
class OpusSettings(OtherCodecSettings):
    """Opus by opusenc and opusdec (Debian: opus-tools), for speech, at variable bitrate."""

    kind: Literal["opus"]
    """Names this kind."""
    bitrate: Annotated[float, Field(ge=6_000, le=256_000)]
    """[bit/s] Bitrate that opusenc is asked for; so many for one channel."""

    def dependencies(self) -> list[str]:
        """Return where the programs are, and in which version."""
        return [stamp(find_program(name)) for name in ("opusenc", "opusdec")]


@dataclass(frozen=True)
class Codec2Settings(OtherCodecSettings):
    """Codec2 by c2enc and c2dec (Debian: codec2)."""

    kind: Literal["codec2"]
    """Names this kind."""
    bitrate: Annotated[
        PositiveFloat,
        AfterValidator(_codec2_bitrate),
        Field(json_schema_extra={"enum": list(CODEC2_BITRATES)}),
    ]
    """[bit/s] Its mode."""

    def dependencies(self) -> list[str]:
        """Return where the programs are, and in which version."""
        return [stamp(find_program(name)) for name in ("c2enc", "c2dec")]


@dataclass(frozen=True)
class _PublishedWeights(OtherCodecSettings):
    weights: Annotated[str, Field(min_length=1)] = field(kw_only=True)
    """Folder that from_pretrained reads, or a repository of the Hugging Face hub."""

    def dependencies(self) -> list[str]:
        """Return whether the package and a folder of weights are there."""
        return [str(python_file("transformers") is not None), str(Path(self.weights).is_dir())]


@dataclass(frozen=True)
class EncodecSettings(_PublishedWeights):
    """EnCodec; needs the extra taae[codecs]."""

    kind: Literal["encodec"]
    """Names this kind."""
    bitrate: PositiveFloat
    """[bit/s] One of the bitrates of the weights, such as 1500."""


@dataclass(frozen=True)
class DacSettings(_PublishedWeights):
    """DAC; needs the extra taae[codecs]."""

    kind: Literal["dac"]
    """Names this kind."""
    quantizers: PositiveInt
    """Codebooks used."""


@dataclass(frozen=True)
class MimiSettings(_PublishedWeights):
    """Mimi; needs the extra taae[codecs]."""

    kind: Literal["mimi"]
    """Names this kind."""
    quantizers: PositiveInt
    """Codebooks used."""


@dataclass(frozen=True)
class CommandSettings(OtherCodecSettings):
    """Any codec that is a program: one command encodes, another decodes, or one does both."""

    kind: Literal["command"]
    """Names this kind."""
    encode: CommandLine
    """Program and its arguments, without a shell; {input} is a 16-bit WAV file, {coded} the file to
    write. Without `decode` the command writes {output}, a WAV file."""
    decode: CommandLine | None = None
    """The same for decoding {coded} to {output}, a mono WAV file at `rate`."""
    bitrate: PositiveFloat | None = None
    """[bit/s] What {bitrate} stands for. Without {coded} it is the codec's bitrate as declared;
    else the bits are the size of {coded}."""
    rate: Annotated[int, Field(ge=1000, le=192_000)] = 16_000
    """[Hz] Sample rate that the codec works at: {input} has it, and so must {output}."""
    delay: Annotated[int, Field(ge=-192_000, le=192_000)] = 0
    """[samples] How late {output} is, at `rate`; it is taken out, and so much silence is coded
    after the utterance. Negative where the codec is early."""
    overhead: NonNegativeInt = 0
    """[bytes] Of {coded} that are no code but a header of the container, and not counted."""
    timeout: PositiveFloat = 600.0
    """[s] What each command may take for an utterance."""

    @property
    def commands(self) -> dict[str, str]:
        """The command lines by their key."""
        return {"encode": self.encode} | ({"decode": self.decode} if self.decode else {})

    @property
    def is_counted(self) -> bool:
        """Whether there is a coded file, whose size is what the codec spends."""
        return "coded" in PLACEHOLDER.findall(" ".join(self.commands.values()))

    def check(self, _: list[str]) -> None:
        """Raise a `TaaeError` for commands that do not fit each other."""
        if self.decode is None:
            needed, barred = {"encode": ("input", "output")}, {}
        else:
            needed = {"encode": ("input", "coded"), "decode": ("coded", "output")}
            barred = {"encode": "output", "decode": "input"}
        for key, command in self.commands.items():
            there = PLACEHOLDER.findall(command)
            for name in needed[key]:
                if name not in there:
                    hint = "" if self.decode else "; without decode it writes {output} itself"
                    raise TaaeError(f"{key}: {{{name}}} is missing{hint}")
            if barred.get(key) in there:
                other = "decode writes it" if key == "encode" else "a decoder has {coded} alone"
                raise TaaeError(f"{key}: {{{barred[key]}}} has no place here: {other}")
        asked = any("{bitrate}" in command for command in self.commands.values())
        if self.bitrate is None and (asked or not self.is_counted):
            why = "the commands have {bitrate}" if asked else "no {coded} tells the bits"
            raise TaaeError(f"bitrate: must be given: {why}")
        if self.bitrate is not None and self.is_counted and not asked:
            raise TaaeError(
                "bitrate: of no effect: no command has {bitrate}, and the size of {coded} tells the"
                " bits; remove it"
            )
        if self.overhead and not self.is_counted:
            raise TaaeError("overhead: of no effect without {coded}; remove it")

    def dependencies(self) -> list[str]:
        """Return the programs, and the files that the commands name."""
        found = []
        for command in self.commands.values():
            program, *words = shlex.split(command)
            found.append(stamp(find_program(program)))
            found += [stamp(Path(word)) for word in words if Path(word).is_file()]
        return found


@dataclass(frozen=True)
class FolderSettings(OtherCodecSettings):
    """Audio that was decoded elsewhere; utterances without a file get the status `missing`."""

    kind: Literal["folder"]
    """Names this kind."""
    path: Annotated[str, Field(min_length=1)]
    """Folder of WAV or FLAC files with the names of results/reference/audio/, mono, all of one
    sample rate. {test} stands for the test set, main or one of `tests`, and must be there if the
    study has several."""
    bitrate: PositiveFloat
    """[bit/s] What the codec spent, as declared."""
    align: bool = False
    """Whether the delay that is found, one for all files, is taken out; else it is told alone."""

    def check(self, tests: list[str]) -> None:
        """Raise a `TaaeError` where there is no such folder, of any test set."""
        if len(tests) > 1 and "{test}" not in self.path:
            raise TaaeError(f"path: {{test}} is missing: there are test sets {', '.join(tests)}")
        for test in tests:
            if not Path(self.of(test).path).is_dir():
                raise TaaeError(f"path: no folder {self.of(test).path}")

    def of(self, test: str) -> Self:
        """Return the settings with the folder of a test set."""
        return replace(self, path=self.path.replace("{test}", test))

    @property
    def files(self) -> list[Path]:
        """The audio files, sorted."""
        there = Path(self.path).iterdir()
        return sorted(path for path in there if path.suffix.lower() in AUDIO_SUFFIXES)

    def dependencies(self) -> list[str]:
        """Return a hash of the files' names, sizes and times: to read them all would take long."""
        return [digest([stamp(path) for path in self.files])]


@dataclass(frozen=True)
class PythonSettings(OtherCodecSettings):
    """A class of your own with `rate`, `encode` and `decode`."""

    kind: Literal["python"]
    """Names this kind."""
    class_: Annotated[str, AfterValidator(_class_name), Field(alias="class")]
    """package.module:Class, or path/to/file.py:Class."""
    options: dict[str, Any] = default({})
    """What the class is made with, by name."""

    @property
    def file(self) -> Path | None:
        """The source file of the class, if it is there; nothing is imported."""
        module, _, _ = self.class_.rpartition(":")
        return Path(module) if module.endswith(".py") else python_file(module)

    def check(self, _: list[str]) -> None:
        """Raise a `TaaeError` where there is no such file."""
        if self.class_.partition(":")[0].endswith(".py") and not (self.file or Path()).is_file():
            raise TaaeError(f"class: no file {self.file}")

    def dependencies(self) -> list[str]:
        """Return the source file, by its content; what it imports is not looked at."""
        return [f"{self.file} {file_sha256(self.file) if self.file else ''}"]


OtherCodec = Annotated[
    OpusSettings
    | Codec2Settings
    | EncodecSettings
    | DacSettings
    | MimiSettings
    | CommandSettings
    | FolderSettings
    | PythonSettings,
    Field(discriminator="kind"),
]
"""Another codec at one operating point, in the same tables as the variants."""
