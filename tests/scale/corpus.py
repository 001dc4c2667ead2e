"""Measure a corpus in shards at any size: joining it, beginning to train on it, its segments.

python -m tests.scale.corpus --rows 30000000 --folder /tmp/corpus

Rows are real, audio is holes in files that take no room. It takes 500 bytes of disk for a row.
"""

from __future__ import annotations

import argparse
import json
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


def write_shard(folder: Path, number: int, rows: int) -> None:
    """Write a prepared shard of `rows` utterances; the first has two of the other splits too."""
    with write_store(folder, {}):
        pass
    counts = {"train": rows} | ({"validation": 2, "test": 2} if number == 0 else {})
    about = json.loads((folder / "corpus.json").read_bytes())
    for split, count in counts.items():
        text = "".join(
            f"u{number}-{split}-{row:08d},s{number % 9999},{split},{row * SAMPLES},{SAMPLES},-20.0,"
            f"1.5,0,some/folder/s{number % 9999}/book{row % 99}/{row:08d}.flac,what was said"
            f" {row:060d},{row:064x}\n"
            for row in range(count)
        )
        table, audio = folder / f"{split}.csv", folder / f"{split}.npy"
        table.write_text(",".join(COLUMNS) + "\n" + text)
        with audio.open("r+b") as file:
            header = {"descr": "<i2", "fortran_order": False, "shape": (count * SAMPLES,)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 2 * count * SAMPLES)
        about["splits"][split] |= {"samples": count * SAMPLES, "sha256": file_sha256(table)}
    about["source_rates"] = {"16000": sum(counts.values())}
    (folder / "corpus.json").write_text(json.dumps(about))


def write(folder: Path, rows: int) -> dict[str, float]:
    """Write a corpus of `rows` utterances; return seconds and the number of shards."""
    names = []
    for number, first in enumerate(range(0, rows, ROWS)):
        names.append(f"{number:016x}")
        write_shard(folder / "corpus" / SHARDS / names[-1], number, min(ROWS, rows - first))
    index = folder / "shards.json"
    index.write_text(json.dumps({"corpus": {"max_rejected": 0.0}, "shards": names}))
    begun = time.perf_counter()
    join(index, folder / "corpus")
    return {"shards": len(names), "join_s": time.perf_counter() - begun}


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
    asked = parser.parse_args()
    if asked.begin:
        print(json.dumps(begin(asked.folder)))
        return
    found = write(asked.folder, asked.rows)
    peak = max_resident()
    # In a process of its own, whose memory is not what writing took.
    words = [sys.executable, "-m", "tests.scale.corpus", "--folder", str(asked.folder), "--begin"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    manifest = asked.folder / "corpus" / f"{SHARDED}.csv"
    found |= {"join_mib": peak, "manifest_bytes": manifest.stat().st_size}
    print(json.dumps({**found, **json.loads(done.stdout)}))


def max_resident() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
