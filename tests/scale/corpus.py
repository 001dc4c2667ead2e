"""Measure a corpus in shards at any size: joining it, beginning to train on it, its segments.

python -m tests.scale.corpus --rows 30000000 --folder /tmp/corpus --unjoined

The manifest is as long as a real one, 240 bytes a row; audio is holes in files, and takes no room.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from taae.corpus.shards import join
from taae.corpus.store import COLUMNS, SHARDED, SHARDS, Split
from taae.corpus.writer import write_store
from taae.training import segments
from taae.utils.files import file_sha256

SECONDS = 12.6  # of an utterance: 30 million are 105,000 hours
ROWS = 28_571  # of a shard, 100 hours
SAMPLES = round(SECONDS * 16_000)
SEGMENT, BATCH, STEPS = 81_920, 16, 200


def write_shard(folder: Path, model: Path | None, rows: int) -> None:
    """Write a prepared shard of `rows` utterances; all have the manifest of the model shard.

    Without a model it is the first, and has utterances of the other splits too.
    """
    with write_store(folder, {}):
        pass
    counts = {"train": rows} | ({} if model else {"validation": 2, "test": 2})
    about = json.loads((folder / "corpus.json").read_bytes())
    for split, count in counts.items():
        table, audio = folder / f"{split}.csv", folder / f"{split}.npy"
        if model and rows == ROWS:
            table.unlink()
            table.hardlink_to(model / table.name)
        else:
            table.write_text(manifest(split, count))
        with audio.open("r+b") as file:
            header = {"descr": "<i2", "fortran_order": False, "shape": (count * SAMPLES,)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 2 * count * SAMPLES)
        about["splits"][split] |= {"samples": count * SAMPLES, "sha256": file_sha256(table)}
    about["source_rates"] = {"16000": sum(counts.values())}
    (folder / "corpus.json").write_text(json.dumps(about))


def manifest(split: str, rows: int) -> str:
    """Return the manifest of a shard."""
    return (
        ",".join(COLUMNS)
        + "\n"
        + "".join(
            f"utterance-{split}-{row:08d},s{row % 999},{split},{row * SAMPLES},{SAMPLES},-20.0,1.5,"
            f"0,some/folder/s{row % 999}/{row:08d}.flac,what was said {row:060d},{row:064x}\n"
            for row in range(rows)
        )
    )


def write(folder: Path, rows: int, joined: bool) -> dict[str, float]:
    """Write a corpus of `rows` utterances; return seconds and the number of shards."""
    shards = folder / "corpus" / SHARDS
    names = [f"{number:016x}" for number in range(-(-rows // ROWS))]
    begun = time.perf_counter()
    for number, name in enumerate(names):
        model = shards / names[0] if number else None
        write_shard(shards / name, model, min(ROWS, rows - number * ROWS))
    spent = {"shards": len(names), "write_s": time.perf_counter() - begun}
    index = folder / "shards.json"
    index.write_text(json.dumps({"corpus": {"max_rejected": 0.0}, "shards": names}))
    if joined:
        begun = time.process_time()
        join(index, folder / "corpus")
        return {**spent, "join_cpu_s": time.process_time() - begun, "join_mib": max_resident()}
    about = {"name": "", "samples": ROWS * SAMPLES}
    found = [about | {"name": name} for name in names]
    found[-1]["samples"] = (rows - ROWS * (len(names) - 1)) * SAMPLES
    summary = {"splits": {SHARDED: {"samples": rows * SAMPLES, "sha256": ""}}, "shards": found}
    (folder / "corpus/corpus.json").write_text(json.dumps(summary))
    with (folder / f"corpus/{SHARDED}.csv").open("wb") as file:
        for name in names:
            file.write((shards / name / f"{SHARDED}.csv").read_bytes())
    return spent


def begin(folder: Path) -> dict[str, float]:
    """Open the training split and take its segments, as a training does."""
    before, begun = resident(), time.perf_counter()
    split = Split.open(folder / "corpus", SHARDED)
    opened = time.perf_counter() - begun
    begun = time.perf_counter()
    for step in range(STEPS):
        segments.batch(split, SEGMENT, BATCH, 1, step)
    spent = time.perf_counter() - begun
    return {
        "rows": split.samples / SAMPLES,
        "open_s": opened,
        "segments_per_s": STEPS * BATCH / spent,
        "resident_mib": resident() - before,
        "files": len([*Path("/proc/self/fd").iterdir()]),
    }


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Print what a corpus of so many rows takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--begin", action="store_true", help="the corpus is there already")
    parser.add_argument("--unjoined", action="store_true", help="leave the join out")
    asked = parser.parse_args()
    if asked.begin:
        print(json.dumps(begin(asked.folder)))
        return
    found = write(asked.folder, asked.rows, not asked.unjoined)
    # In a process of its own, whose memory is not what writing took.
    words = [sys.executable, "-m", "tests.scale.corpus", "--folder", str(asked.folder), "--begin"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    size = (asked.folder / "corpus" / f"{SHARDED}.csv").stat().st_size
    print(json.dumps({**found, "manifest_bytes": size, **json.loads(done.stdout)}))


def max_resident() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
