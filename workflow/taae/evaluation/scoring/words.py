"""Words of a transcript or of what was heard, and in how many of them two of these differ."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any


def words(text: str, language: str) -> list[str]:
    """Return the words of a text as error rates compare them.

    Whisper's own normaliser makes them alike: case, punctuation, fillers, contractions, British
    spelling and numbers of English; case, punctuation and diacritics of any other language
    (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", ICML 2023,
    appendix C).
    """
    normalised = _normaliser(language)(text).split()
    return [word for word in normalised if any(letter.isalnum() for letter in word)]


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return how many insertions, deletions and substitutions turn one sequence into the other.

    Levenshtein (1966), by the rows of Wagner and Fischer (1974).
    """
    row = list(range(len(other) + 1))  # from nothing to each beginning of the other
    for count, item in enumerate(one, 1):
        diagonal, row[0] = row[0], count
        for place, its in enumerate(other, 1):
            step = min(row[place] + 1, row[place - 1] + 1, diagonal + (item != its))
            diagonal, row[place] = row[place], step
    return row[-1]


@cache
def _normaliser(language: str) -> Any:
    if language == "en":
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer(remove_diacritics=True)
