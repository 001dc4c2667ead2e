"""Any codec that is a program: its command line for each utterance, without a shell."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from taae.evaluation.decoded_files import Audio, Coded, fit, without_delay
from taae.evaluation.other_codecs.config import PLACEHOLDER, CommandSettings
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.files import file_sha256
from taae.utils.programs import find_program, run_program

FILES = {"input": "input.wav", "coded": "coded", "output": "output.wav"}  # in a scratch folder


class CommandCodec:
    """Commands of the settings, run in a scratch folder of each utterance.

    Words that name a file are made absolute, since the commands do not run where the study does.
    The version names each program with the first 12 digits of its SHA-256.
    """

    def __init__(self, settings: CommandSettings) -> None:
        """Find the programs, or raise `NotInstalled`."""
        self.settings, self.rate = settings, settings.rate
        self.bitrate = None if settings.is_counted else settings.bitrate
        self.commands, versions = [], []
        for command in settings.commands.values():
            name, *words = shlex.split(command)
            program = find_program(name)
            if program is None:
                raise NotInstalled(f"no {name} on the PATH; install it")
            there = [str(Path(word).absolute()) if Path(word).is_file() else word for word in words]
            self.commands.append([str(program), *there])
            versions.append(f"{program.name} {file_sha256(program)[:12]}")
        self.version = ", ".join(dict.fromkeys(versions))

    def __call__(self, audio: Audio, _: str) -> Coded:
        """Code (n,) at the codec's rate, and as much silence as it is late; see `Codec`."""
        delay = self.settings.delay
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            sent = fit(audio, audio.size + max(0, delay))
            soundfile.write(folder / FILES["input"], sent, self.rate, subtype="PCM_16")
            for command in self.commands:
                run_program(self._filled(command, folder), folder, self.settings.timeout)
                last = command is self.commands[-1]
                self._check_written(folder, "output" if last else "coded", command)
            decoded = self._read(folder / FILES["output"])
            bits = self._bits(folder, audio.size)
        return Coded(without_delay(decoded, delay), None, bits, delay)

    def _filled(self, command: list[str], folder: Path) -> list[str]:
        """Return a command with its placeholders filled in, within words that are split already."""
        values = {name: str(folder / file) for name, file in FILES.items()}
        if self.settings.bitrate is not None:
            values["bitrate"] = f"{self.settings.bitrate:.15g}"
        return [PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in command]

    def _check_written(self, folder: Path, name: str, command: list[str]) -> None:
        if not (folder / FILES[name]).is_file():
            raise TaaeError(f"{Path(command[0]).name} wrote no {{{name}}}")

    def _read(self, path: Path) -> Audio:
        try:
            decoded, rate = read_audio(path)
        except RejectedError as error:
            raise TaaeError(f"{{output}} is no readable WAV file: {error.detail}") from error
        if decoded.shape[1] != 1:
            raise TaaeError(f"{{output}} has {decoded.shape[1]} channels; mono is needed")
        if rate != self.rate:
            raise TaaeError(f"{{output}} is at {rate} Hz, but rate says {self.rate} Hz")
        return decoded[:, 0].astype(np.float32)

    def _bits(self, folder: Path, samples: int) -> int:
        if self.bitrate is not None:
            return round(self.bitrate * samples / self.rate)
        self._check_written(folder, "coded", self.commands[0])
        size, overhead = (folder / FILES["coded"]).stat().st_size, self.settings.overhead
        if size < overhead:
            raise TaaeError(f"{{coded}} has {size} bytes, less than the overhead of {overhead}")
        return 8 * (size - overhead)
