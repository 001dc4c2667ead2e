"""A corpus in shards: listed once, cut, each shard prepared by itself, and all of them joined.

A shard is a corpus of some of the items, without the checks that are of all. Its name is a hash of
all that it depends on, so that a shard whose name is known need not be prepared again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from taae.corpus.prepare import KINDS, add_items, check, log_splits
from taae.corpus.store import SHARDED, SHARDS, Split, summary_of
from taae.corpus.utterance import SPLITS, Item, Label, Plan, Rejected
from taae.corpus.writer import stored_utterance, write_store
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, write_json
from taae.utils.log import log, progress

NAME = 16  # digits of a shard's name: 2^64 of them, for a million shards


def write_shards(corpus: dict[str, Any], hours: float, output: Path, index: Path) -> None:
    """List the speech of a corpus, and write its shards to the folder `output`.

    Args:
        corpus: the `corpus` section of a study, as `chosen` gives it.
        hours: about how long the speech of a shard is; 0: one shard.
        output: folder for `<shard>.json`, what there is to prepare.
        index: JSON file for the settings, and the names of the shards in the order of the corpus.
    """
    kind = corpus["kind"]
    plan = KINDS[kind].plan(corpus)
    names = []
    with atomic(output) as folder:
        folder.mkdir()
        for items in cut(plan.items, hours):
            content = {"kind": kind, "settings": plan.settings, "items": [*map(asdict, items)]}
            text = json.dumps(content)  # names that are no UTF-8 are escaped
            names.append(hashlib.sha256(text.encode()).hexdigest()[:NAME])
            (folder / f"{names[-1]}.json").write_text(text, encoding="utf-8")
    write_json({"corpus": corpus, "shards": names}, index)
    log(f"corpus: {len(plan.items)} items in {len(names)} shards")


def cut(items: Iterable[Item], hours: float) -> Iterator[list[Item]]:
    """Yield consecutive items, in shards of about `hours` of speech; 0: in one.

    A shard ends where the hash of an item's key is small, and not where a count is full. So an
    item that is added or removed moves the ends of its own shard, and seldom of the next ones,
    instead of all later ones (content-defined chunking, Muthitacharoen et al., 2001). No shard but
    the last is shorter than half of `hours`, and none is longer than twice `hours` and an item.
    """
    wanted = 3600 * hours or math.inf
    shard, seconds = [], 0.0
    for item in items:
        shard.append(item)
        seconds += item.seconds
        draw = int.from_bytes(hashlib.sha256(os.fsencode(item.key)).digest()[:8]) / 2**64
        ends = seconds >= wanted / 2 and draw < 2 * item.seconds / wanted
        if ends or seconds >= 2 * wanted:
            yield shard
            shard, seconds = [], 0.0
    if shard:
        yield shard


def prepare_shard(shard: Path, output: Path, workers: int = 1) -> None:
    """Prepare the shard that a file of `write_shards` describes, into the folder `output`.

    Writes what `taae.corpus.prepare.prepare` does; a shard may lack splits, or be all rejected.
    """
    try:
        content = json.loads(shard.read_bytes())
        kind = KINDS[content["kind"]]
        items = TypeAdapter(list[kind.item]).validate_python(content["items"])  # type: ignore[name-defined]
        plan = Plan(items, content["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaaeError(f"{shard}: no shard of a corpus ({error}); rerun rule shards") from error
    with write_store(output, {"shard": shard.stem}) as store:
        add_items(store, kind, plan, workers)


def join(index: Path, output: Path) -> None:
    """Make the corpus in the folder `output` of its prepared shards in `output`/shards.

    The audio of the training stays in the shards; that of the other splits is small, and copied.
    All else is as `taae.corpus.prepare.prepare` writes it: the same manifests, the same hash.

    Args:
        index: file that `write_shards` wrote.
        output: folder of the corpus.

    Raises:
        TaaeError: the corpus is of no use, or a shard is missing; an earlier one is as it was.
    """
    found = json.loads(index.read_bytes())
    corpus, names = found["corpus"], found["shards"]
    with write_store(output, corpus, SPLITS, sharded=[SHARDED]) as store:
        for name in progress(names, len(names), "joining"):
            folder = output / SHARDS / name
            for split in SPLITS:
                part = Split.open(folder, split)
                for record in part.records():
                    if split == SHARDED:
                        store.splits[split].add_row(record)
                    else:
                        store.splits[split].add(stored_utterance(part, record))
                if split == SHARDED and part.samples:
                    store.shards.append({"name": name, "samples": part.samples})
            store.rejected += _rejected(folder / "rejected.csv")
            rates = summary_of(folder)["source_rates"]
            store.rates.update({int(rate): count for rate, count in rates.items()})
        check(store, corpus["max_rejected"], "repair or remove them")
    (output / f"{SHARDED}.npy").unlink(missing_ok=True)  # of an earlier corpus in one piece
    log_splits(store)


def _rejected(table: Path) -> Iterator[Rejected]:
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            label = Label("", row["speaker"], "", row["source"], "")
            yield Rejected(label, row["reason"], row["detail"])
