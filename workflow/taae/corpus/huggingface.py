"""Datasets of the Hugging Face hub, or in its formats on this machine, through `datasets`.

They are streamed: the rows are read from start to end, and nothing is kept on the disk. `datasets`
runs no code of a repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taae.corpus import samples
from taae.corpus.recordings import TOGETHER
from taae.corpus.samples import Sample
from taae.corpus.speakers import speaker_of, speaker_rule
from taae.utils.errors import TaaeError

if TYPE_CHECKING:
    from datasets import IterableDataset

PART = re.compile(r"(.+)-(\d+)-of-(\d+)")
USUAL = 500_000_000  # bytes of a file of a dataset, as the hub makes them
SECTION = "corpus.huggingface"


class Rows:
    """The parts of a corpus of this kind: the files of a split, as in `train-00003-of-00014`.

    Args:
        settings: the section `corpus.huggingface`.
    """

    def __init__(self, settings: dict[str, Any], _: float) -> None:
        self._settings, rule = settings, settings["speaker_rule"]
        self._rule = speaker_rule(rule, f"{SECTION}.speaker_rule") if rule else None

    def parts(self, listed: Sequence[str]) -> list[str]:
        """Return the parts of splits of the dataset."""
        return [
            f"{split}-{number:05}-of-{count:05}"
            for split in listed
            for count in [self._split(split).num_shards]
            for number in range(count)
        ]

    def name(self, part: str) -> str:
        """Return the split and the number of the part."""
        return part.rpartition("-of-")[0]

    def size(self, _: str) -> int:
        """Return the bytes that the files of such datasets usually have."""
        return USUAL

    def samples(self, part: str) -> Iterator[Sample]:
        """Yield the rows of a part; the key of a row is its number there."""
        audio, text = self._settings["audio"], self._settings["text"]
        for key, row in self._rows(part, audio=True):
            file = row[audio] or {}
            content = file.get("bytes") or (Path(file["path"]) if file.get("path") else b"")
            said = str(row[text] or "") if text else ""
            yield Sample(key, self._speaker(part, key, row), said, content)

    def speakers(self, part: str) -> Iterator[tuple[str, str]]:
        """Yield key and speaker of each row."""
        for key, row in self._rows(part, audio=False):
            yield key, self._speaker(part, key, row)

    def _split(self, split: str, *columns: str) -> IterableDataset:
        keys = ("path", "name", "revision", "local_files_only")
        return _open(*(self._settings[key] for key in keys), split, columns)

    def _speaker(self, part: str, key: str, row: dict[str, Any]) -> str:
        value = row[self._settings["speaker"]]
        return speaker_of(value, self._rule, f"{part}: row {int(key)}", SECTION)

    def _rows(self, part: str, *, audio: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the rows of a part: with audio, as it is in the dataset, or speakers alone."""
        match = PART.fullmatch(part)
        assert match, "parts are named above"
        split, number, count = match[1], int(match[2]), int(match[3])
        with _explained(part):
            from datasets import Audio

            there = self._split(split).features or {}
            columns = {key: self._settings[key] for key in ("audio", "speaker", "text")}
            for setting, column in columns.items():
                if column and column not in there:
                    raise TaaeError(
                        f"config: {SECTION}.{setting}: split '{split}' has no column '{column}';"
                        f" it has {', '.join(there)}"
                    )
            wanted = list(filter(None, columns.values())) if audio else [columns["speaker"]]
            rows = self._split(split, *wanted).select_columns(wanted)
            if audio:
                rows = rows.cast_column(columns["audio"], Audio(decode=False))
            for key, row in enumerate(rows.shard(num_shards=count, index=number)):
                yield f"{key:06}", row


HUGGINGFACE = samples.kind(Rows)


@cache
def _open(
    path: str, name: str, revision: str, local: bool, split: str, columns: tuple[str, ...]
) -> IterableDataset:
    """Return a split of the dataset, whose rows are read when they are asked for.

    Columns are left out where that can be done without reading them; an empty list means all.
    """
    try:
        import datasets
        from datasets.packaged_modules.parquet.parquet import ParquetConfig
        from pyarrow.dataset import ParquetFragmentScanOptions
    except ImportError:
        raise TaaeError(
            f"config: {SECTION}: no package datasets; install the extra datasets"
            " (pip install 'taae[datasets]')"
        ) from None
    if not path:
        raise TaaeError(f"config: {SECTION}.path is empty; set it to a folder, or user/name")
    here = Path(path).is_dir()
    if not here and not re.fullmatch(r"[\w.-]*\w/\w[\w.-]*", path):
        raise TaaeError(f"config: {SECTION}.path: {path}: no such folder, nor user/name")
    if not here and not revision:
        raise TaaeError(
            f"config: {SECTION}.revision is empty: {path} is no folder here, and of a dataset of"
            " the hub give the commit"
        )
    with _explained(f"{path}, split '{split}'"):
        if not here and local:
            from huggingface_hub import snapshot_download

            path = snapshot_download(
                path, repo_type="dataset", revision=revision, local_files_only=True
            )
        if (Path(path) / "dataset_dict.json").is_file():  # of DatasetDict.save_to_disk
            saved = datasets.load_from_disk(path)[split]
            return saved.to_iterable_dataset(num_shards=len(saved.cache_files))
        revision = "" if Path(path).is_dir() else revision
        builder = datasets.load_dataset_builder(path, name or None, revision=revision or None)
        if isinstance(builder.config, ParquetConfig):
            builder.config.columns = list(columns) or None
            # By themselves whole groups of rows are in memory, of hundreds of megabytes.
            builder.config.batch_size = TOGETHER
            builder.config.fragment_scan_options = ParquetFragmentScanOptions(
                pre_buffer=False, use_buffered_stream=True
            )
        return builder.as_streaming_dataset(split=split)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn an error of datasets, which may be of any of its libraries, into one line."""
    try:
        yield
    except TaaeError:
        raise
    except ImportError as error:
        raise TaaeError(
            f"{place}: a dataset of this format needs more packages ({error}); without them, take"
            " one in Parquet, audio files as kind folder, or tars as kind webdataset"
        ) from error
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise TaaeError(f"{place}: {(lines or [type(error).__name__])[0]}") from error
