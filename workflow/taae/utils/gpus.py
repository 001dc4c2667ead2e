"""GPUs of one machine, one job at a time on each: a lock that ends with its process.

A job uses the GPUs that it asks for and no others; one that asks for none runs on the CPU, also
where GPUs are visible. On one machine the jobs of a user share the GPUs by these locks; under
SLURM each job sees its own GPUs alone, and finds them free.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from taae.utils.errors import TaaeError
from taae.utils.log import log

VISIBLE = "CUDA_VISIBLE_DEVICES"


@contextmanager
def compute(gpus: int) -> Iterator[str]:
    """Yield the torch device of a job, "cpu" or "cuda", whose GPUs are its own until the end.

    To be entered before CUDA is used: CUDA_VISIBLE_DEVICES then names this job's GPUs alone.

    Raises:
        TaaeError: more GPUs are asked for than are visible, or PyTorch cannot use them.
    """
    if not gpus:
        yield "cpu"
        return
    import torch

    before = os.environ.get(VISIBLE)
    with hold(gpus, visible(before, installed())) as held:
        os.environ[VISIBLE] = ",".join(held)
        try:
            if not torch.cuda.is_available():
                raise TaaeError(
                    f"GPU {os.environ[VISIBLE]}: PyTorch {torch.__version__} cannot use it; install"
                    " one built for its driver, or set training.gpus to 0 to use the CPU"
                )
            yield "cuda"
        finally:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before


def installed() -> list[str]:
    """Return the UUIDs of this machine's GPUs, by index.

    None without NVIDIA's driver, nor where MIG divides a GPU: CUDA then shows the parts alone.
    """
    command = ["nvidia-smi", "--query-gpu=uuid,mig.mode.current", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    gpus = [line.split(", ") for line in done.stdout.splitlines() if line.startswith("GPU-")]
    return [] if any("Enabled" in modes for _, *modes in gpus) else [uuid for uuid, *_ in gpus]


def visible(setting: str | None, uuids: Sequence[str]) -> list[str]:
    """Return the GPUs that CUDA shows with a value of CUDA_VISIBLE_DEVICES (None: it is not set).

    As CUDA reads it: indices, UUIDs or their beginnings; what follows an entry that is none is
    not shown, and nothing is where a GPU occurs twice. They are returned by their UUIDs, since
    nvidia-smi and CUDA need not count them in the same order. Where `uuids` is empty, the entries
    are believed, since nvidia-smi may be absent where the GPUs are not.
    """
    if setting is None:
        return list(uuids)
    believed = "MIG-" if uuids else r"MIG-|GPU-|\d+$"  # MIG: a part of a GPU
    found: list[str] = []
    for name in (entry.strip() for entry in setting.split(",")):
        shown = [
            uuid
            for index, uuid in enumerate(uuids)
            if name == str(index) or (name.startswith("GPU-") and uuid.startswith(name))
        ]
        if re.match(believed, name):
            shown = [name]
        if len(shown) != 1:
            break
        found += shown
    return found if len(set(found)) == len(found) else []


@contextmanager
def hold(
    count: int, gpus: Sequence[str], folder: Path | None = None, poll: float = 1.0
) -> Iterator[list[str]]:
    """Yield the first `count` of `gpus` that no other process holds; wait until there are.

    Args:
        folder: of the lock files; default one of this user in the system's temporary folder.
        poll: seconds between attempts while all are busy.

    Raises:
        TaaeError: `gpus` are fewer than `count`.
    """
    if count > len(gpus):
        seen = "no GPU is" if not gpus else f"only {len(gpus)} of them are"
        setting = os.environ.get(VISIBLE)
        why = "as nvidia-smi says" if setting is None else f"{VISIBLE} is '{setting}'"
        raise TaaeError(
            f"training.gpus: {count} asked for, but {seen} visible here ({why});"
            " set training.gpus to 0 to use the CPU"
        )
    folder = folder or _lock_folder()
    waiting = False
    while True:
        with ExitStack() as locks:
            held = _take(count, gpus, folder, locks)
            if held:
                if waiting:
                    log(f"GPU {', '.join(held)}: free now")
                yield held
                return
        if not waiting:
            log(f"waiting for {count} of {len(gpus)} GPUs: other jobs of this user hold them")
            waiting = True
        time.sleep(poll * random.uniform(0.5, 1.5))


def _take(count: int, gpus: Sequence[str], folder: Path, locks: ExitStack) -> list[str]:
    """Lock `count` GPUs, or none: one job at a time looks, so that none waits with half of them."""
    from filelock import FileLock, Timeout  # jobs without a GPU, which are most, start sooner

    held: list[str] = []
    with FileLock(folder / "all"), ExitStack() as taken:
        for gpu in gpus:
            with suppress(Timeout):
                # As older drivers name a part of a GPU: MIG-GPU-<UUID>/7/0
                taken.enter_context(FileLock(folder / gpu.replace("/", "-"), timeout=0))
                held.append(gpu)
            if len(held) == count:
                locks.push(taken.pop_all())
                return held
    return []


def _lock_folder() -> Path:
    """Return this user's folder of locks; never one that somebody else prepared."""
    folder = Path(tempfile.gettempdir()) / f"taae-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise TaaeError(f"{folder}: belongs to another user; remove it")
    return folder
