"""A study of a second's training, its corpus, and a process that runs commands at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import yaml

from taae.study.overlay import merge, read_yaml
from tests.unit.evaluation.speechlike import RATE, speech

ROOT = Path(__file__).parents[2]
SPLITS = ("train", "validation", "test")


class Study:
    """A config file and a prepared corpus; a training of it takes about a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.corpus, self.audio = (
            folder / name for name in ("study.yaml", "corpus", "audio")
        )
        rows = []
        for number, split in enumerate(SPLITS):
            path = self.audio / f"{split}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, speech(8.0, seed=number), RATE)
            rows.append(f"{path.name},{split},{split}\n")
        (folder / "manifest.csv").write_text("path,speaker,split\n" + "".join(rows))
        settings = merge(
            read_yaml(ROOT / "config.yaml"),
            {
                "corpus": {
                    "kind": "folder",
                    "folder": {"path": str(self.audio), "manifest": str(folder / "manifest.csv")},
                },
                "model": {"layers": [1, 1], "width": 16, "head_dim": 8},
                "training": {
                    "start": "scratch",
                    "steps": 200,
                    "batch": 1,
                    "segment": 0.64,
                    "validate_every": 30,
                },
            },
        )
        for section in ("ablations", "variants", "codecs", "bitrates", "lengths"):
            settings[section] = {}
        self.config.write_text(yaml.safe_dump(settings))

    def train(
        self, output: Path, state: Path, *options: str, corpus: Path | None = None
    ) -> list[str]:
        """Return the arguments of `taae` that train it."""
        words = ["train", "--study", self.config, "--variant", "baseline", "--seed", "1"]
        words += ["--corpus", corpus or self.corpus, "--output", output, "--state", state]
        return [*map(str, words), *options]


class Forker:
    """Runs `taae` commands, one at a time, in forks of a process that has imported it all."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.pid = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forker", str(log)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: list[str]) -> None:
        """Start a command; `pid` is its process, which stays known until the next one."""
        self.log.write_text("")
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        self.pid = int(self._answer())

    def wait(self) -> int:
        """Return the exit status, negative for a signal."""
        return int(self._answer())

    def run(self, arguments: list[str]) -> int:
        """Run a command to its end."""
        self.start(arguments)
        return self.wait()

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    made = Forker(tmp_path_factory.mktemp("forker") / "log")
    yield made
    made.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, forker: Forker) -> Study:
    made = Study(tmp_path_factory.mktemp("study"))
    prepared = ["corpus", "--study", str(made.config), "--output", str(made.corpus)]
    assert forker.run(prepared) == 0, forker.log.read_text()
    return made


@pytest.fixture(scope="session")
def trained(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of an uninterrupted training, as the workflow's rule runs it."""
    folder = tmp_path_factory.mktemp("trained")
    words = study.train(folder / "model", folder / "state")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "taae", *words], check=True, env=environment)
    return folder / "model"


class Disk:
    """A file system of a few megabytes, in memory, that can be filled and made read-only."""

    def __init__(self, folder: Path, size: str) -> None:
        folder.mkdir()
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")

    def fill(self, left: int) -> None:
        """Leave about `left` bytes free."""
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        (self.folder / "ballast").write_bytes(bytes(max(0, free - left)))

    def free(self) -> None:
        """Undo `fill`."""
        (self.folder / "ballast").unlink()

    def freeze(self) -> None:
        """Make it read-only; this binds root too."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)

    def close(self) -> None:
        """Unmount it, with all that is on it."""
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk", "3m")
    yield made
    made.close()
