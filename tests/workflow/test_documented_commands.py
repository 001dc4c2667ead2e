"""Every command that README.md and docs/ show works: extracted from the text, and run.

The commands run in a copy of the finished smoke study whose config.yaml is the smoke study itself.
What needs a cluster, hours or a second environment is parsed by bash or planned by a dry run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from taae.listening.design import read_key
from taae.utils.files import write_json
from tests.unit.codec import stable_codec
from tests.unit.listening.made import careful, rating_file
from tests.workflow.conftest import PATIENCE, ROOT, SMOKE, Clone

pytestmark = pytest.mark.slow

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("snakemake", "python", "tensorboard", "torchrun", "taae")
INLINE = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")
# Shown for people alone: bash has to be able to read them.
PARSED = (
    *("python3 -m venv", "python -m taae push", "tensorboard", "torchrun", "run=$(sed"),
    *("python -c", "docker", "apptainer", "TAAE_CONTAINER", "python -m tests."),
    *("pip install", "export", "aws", "snakemake --default-storage", "snakemake --profile cloud"),
)
# Minutes of training, a cluster, conda or the network: a dry run says whether they would start.
PLANNED = ("--directory", "--profile", "--sdm", "librispeech", "my-study.yaml")
UNFETCHED = "taae download"  # needs the network: its study is checked


def commands(page: Path) -> Iterator[str]:
    """Yield what a page shows: indented and fenced blocks of shell, and commands within lines."""
    lines = re.sub(r"^```(?!bash).*?^```$", "", page.read_text(), flags=re.M | re.S)
    block: list[str] = []
    for line in [*lines.replace("```bash", "").replace("```", "").splitlines(), ""]:
        if line.startswith("    ") and line.strip():
            block.append(line[4:])
        elif block:
            script = "\n".join(block)
            # A block of control flow is one script, any other is a command a line.
            yield from [script] if "$(" in script else script.splitlines()
            block = []
        else:
            yield from INLINE.findall(line)


# A command that several pages show is run once.
SHOWN = [
    (page, command)
    for command, page in {
        command: page.name for page in reversed(PAGES) for command in commands(page)
    }.items()
]


@pytest.fixture(scope="module")
def place(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished smoke study, with the files that the commands name."""
    folder = tmp_path_factory.mktemp("documented") / "clone"
    shutil.copytree(clone.folder, folder, symlinks=True)
    shutil.copytree(ROOT / "docs", folder / "docs")
    overlay = yaml.safe_load((ROOT / SMOKE).read_text())
    # The demo's file, so that a command without --configfile means the study that has been run.
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(_merged(config, overlay), sort_keys=False))
    (folder / "my-study.yaml").write_text("variants: {window-512: {attention: {window: 512}}}\n")
    page = (folder / "docs" / "codecs.md").read_text()
    for name, language in (("my-codecs.yaml", "yaml"), ("my_codec.py", "python")):
        (folder / name).write_text(re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)[0])
    (folder / "report.md.jinja").write_text('{{ rows("comparisons") | length }} differences\n')
    models = folder / "results" / "models"
    (models / "causal-64").symlink_to(models / "causal", target_is_directory=True)
    rng = np.random.default_rng(0)
    speech = sorted((folder / "results" / "reference" / "audio").glob("*.flac"))[:2]
    for name, noise in (("clean", 0.0), ("decoded", 0.01), ("others", 0.02)):
        (folder / name).mkdir()
        for path in speech:
            wave, rate = soundfile.read(path)
            speaker = folder / name / path.stem[:4]
            speaker.mkdir(exist_ok=True)
            soundfile.write(speaker / path.name, wave + noise * rng.normal(size=len(wave)), rate)
    soundfile.write(folder / "in.wav", wave, rate)
    (wave * 32767).astype("<i2").tofile(folder / "in.raw")
    score = "score --reference clean --decoded others --output others.csv --metrics si_sdr"
    run(f"python -m taae {score}", folder)
    published = stable_codec.config()
    write_json(published, folder / "model_config.json")
    torch.save({"state_dict": stable_codec.tensors(published)}, folder / "model.ckpt")
    words = "listen --design mushra --ablation smoke --utterances 2 --output listening/window"
    run(f"python -m taae {words}", folder)
    test = read_key(folder / "listening" / "window")
    rating_file(folder / "listening" / "window" / "ratings" / "p01.json", test, "p01", careful)
    words = "import-stable-codec --config model_config.json --checkpoint model.ckpt"
    run(f"python -m taae {words} published", folder)
    return folder


def _merged(base: dict[str, object], overlay: dict[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def run(script: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a person would who has activated the environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", *flags, "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(folder / "workflow")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def test_the_pages_show_commands() -> None:
    """Oracle: programs that the pages are known to show."""
    shown = " ".join(command for _, command in SHOWN)
    assert len(SHOWN) > 25
    for word in ("snakemake --cores all", "taae score", "taae plan", "scancel", "--report"):
        assert word in shown


@pytest.mark.parametrize(("page", "command"), SHOWN)
def test_a_documented_command_works(page: str, command: str, place: Path) -> None:
    if command.startswith(PARSED) or "..." in command:
        subprocess.run(["bash", "-n", "-c", command], check=True)
        return
    words = shlex.split(command.partition("<")[0].partition(">")[0])
    if words[0] == "taae" or words == ["python", "-m", "taae"]:  # a name, not a whole command
        assert "Usage: taae" in run(f"{command} --help", place).stdout
    elif UNFETCHED in command:
        run(f"python -m taae check {command.split('download ')[1].split('--output')[0]}", place)
    elif "taae listen" in command:  # the smoke study has another ablation, and few utterances
        run(f"{command.replace('window', 'smoke')} --utterances 2", place)
    elif words[0] == "snakemake" and any(word in command for word in PLANNED):
        # Conda itself is not installed everywhere; its environments have tests of their own.
        run(f"{command.replace(' --sdm conda', '')} --dry-run", place)
    elif words[0] == "snakemake" and "--report" in command:
        run(command, place)
        assert (place / words[words.index("--report") + 1]).stat().st_size > 100_000
    elif words[0] == "snakemake":
        run(command, place)
        done = run(command, place)
        assert "Nothing to be done" in done.stdout + done.stderr
    else:
        run(command, place)


BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)
]


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_a_documented_piece_of_config_resolves(page: str, block: str, place: Path) -> None:
    (place / "piece.yaml").write_text(block.replace("models/published", "published"))
    run("python -m taae check --study config.yaml piece.yaml", place)
