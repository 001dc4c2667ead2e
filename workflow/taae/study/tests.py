"""The test sets of a study: checked, and what an altered one comes from. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from taae.corpus.config import KIND_NAMES, LISTED, MAIN, Corpus, Download, TestSet
from taae.utils.errors import TaaeError


def check_tests(tests: Mapping[str, TestSet], corpus: Corpus) -> list[str]:
    """Return warnings of test sets that training speakers may be in.

    Raises:
        TaaeError: names the key of a test set that cannot be made, or that training hears.
    """
    warnings = []
    for name, test in tests.items():
        if name == MAIN:
            raise TaaeError(f"tests.{MAIN}: the name stands for the corpus's own test split")
        if test.kind == corpus.kind and test.kind in LISTED:
            _check_unheard(name, test, corpus)
        if test.kind == corpus.kind == "folder" and _is_same(test.folder.path, corpus.folder.path):
            warnings.append(
                f"tests.{name}.folder.path is the corpus's own folder: unless manifests keep them"
                " apart, speakers of the training are in the test set too"
            )
        if test.kind != "altered":
            continue
        try:
            test.altered.check()
        except TaaeError as error:
            raise TaaeError(f"tests.{name}.altered: {error}") from None
        line = [name]
        while line[-1] in tests and tests[line[-1]].kind == "altered":
            line.append(tests[line[-1]].altered.of)
            if line[-1] not in (MAIN, *tests):
                known = ", ".join([MAIN, *(other for other in tests if other != line[-2])])
                raise TaaeError(
                    f"tests.{line[-2]}.altered.of: no test set '{line[-1]}'; there are {known}"
                )
            if line[-1] in line[:-1]:
                raise TaaeError(f"tests.{name}.altered.of: goes in a circle: {' of '.join(line)}")
    return warnings


def _check_unheard(name: str, test: TestSet, corpus: Corpus) -> None:
    tested, heard = getattr(test, test.kind), getattr(corpus, test.kind)
    if test.kind == "huggingface" and (tested.path, tested.name) != (heard.path, heard.name):
        return
    for split in ("train", "validation"):
        for listed in getattr(heard, split):
            if listed in tested.test:
                raise TaaeError(
                    f"tests.{name}.{test.kind}.test: {listed} serves the {split} already"
                    f" (corpus.{test.kind}.{split})"
                )


def _is_same(path: str, other: str) -> bool:
    return bool(path) and Path(path).resolve() == Path(other).resolve()


def unaltered(tests: Mapping[str, TestSet], name: str) -> str:
    """Return the name of the set that a test set is made of by alterations; else its own."""
    while name in tests and tests[name].kind == "altered":
        name = tests[name].altered.of
    return name


def downloads(tests: Mapping[str, TestSet], corpus: Download) -> Download:
    """Return what is fetched for a corpus and test sets together.

    Raises:
        TaaeError: they are from several places, or go to several folders.
    """
    found = corpus
    for name, test in tests.items():
        with at_key(name):
            wanted = test.download()
        elsewhere = (found.path, found.url) != (wanted.path, wanted.url)
        if found.subsets and wanted.subsets and elsewhere:
            raise TaaeError(
                f"tests.{name}.librispeech: all subsets are fetched from one url into one path;"
                f" others are from {found.url} into {found.path}"
            )
        if wanted.subsets:
            subsets = list(dict.fromkeys([*found.subsets, *wanted.subsets]))
            found = Download(wanted.path, wanted.url, subsets)
    return found


@contextmanager
def at_key(name: str) -> Iterator[None]:
    """Have errors about keys of `corpus` name the same keys of a test set."""
    try:
        yield
    except TaaeError as error:
        sections = rf"\bcorpus\.(?={'|'.join(KIND_NAMES)}|max_rejected)"
        raise TaaeError(re.sub(sections, f"tests.{name}.", str(error))) from error
