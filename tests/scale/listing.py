"""Time the listing of a corpus by its manifest: rows of a CSV, whose files are there and empty.

python -m tests.scale.listing 20000 200000
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from taae.corpus.config import Corpus, Folder
from taae.corpus.prepare import KINDS

SPEAKERS, FILES_OF_A_FOLDER = 100, 1000


def write_corpus(count: int, folder: Path) -> Corpus:
    """Write empty files and a manifest of them; the last speakers validate and test."""
    rows = ["path,speaker,split"]
    for number in range(count):
        path = folder / f"{number // FILES_OF_A_FOLDER:05}" / f"{number:09}.flac"
        if number % FILES_OF_A_FOLDER == 0:
            path.parent.mkdir()
        path.touch()
        speaker = number % SPEAKERS
        split = {SPEAKERS - 2: "validation", SPEAKERS - 1: "test"}.get(speaker, "train")
        rows.append(f"{path.relative_to(folder)},speaker-{speaker:03},{split}")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n")
    files = Folder(path=str(folder), manifest=str(manifest), test_utterances=count)
    return Corpus(kind="folder", folder=files)


def main() -> None:
    """Print a JSON line for each number of files; memory is of all so far, so let them grow."""
    for count in map(int, sys.argv[1:] or ["20000"]):
        with tempfile.TemporaryDirectory() as folder:
            corpus = write_corpus(count, Path(folder))
            begun, cpu = time.perf_counter(), time.process_time()
            listed = len(KINDS["folder"].plan(corpus.chosen()).items)
            found = {"files": listed, "cpu_seconds": round(time.process_time() - cpu, 2)}
            found["seconds"] = round(time.perf_counter() - begun, 2)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**found, "mib": round(memory)}), flush=True)


if __name__ == "__main__":
    main()
