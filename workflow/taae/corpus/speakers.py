"""Speakers: found by a rule, and drawn at random for the splits."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Any

from taae.utils.errors import TaaeError


def speaker_rule(rule: str, key: str) -> re.Pattern[str]:
    """Return config key `key` as an expression whose one group matches the speaker."""
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise TaaeError(f"config: {key}: '{rule}' is no regular expression ({error})") from None
    if pattern.groups != 1:
        raise TaaeError(
            f"config: {key}: '{rule}' has {pattern.groups} groups; the speaker is what its one"
            " group matches"
        )
    return pattern


def speaker_of(value: Any, rule: re.Pattern[str] | None, place: str, section: str) -> str:
    """Return the speaker that a label names: all of it, or what the rule's group matches.

    Raises:
        TaaeError: there is none; names the `place` and the `section` of the config.
    """
    text = str(value) if isinstance(value, str | int) else ""
    found = rule.search(text) if rule else None
    speaker = found[1] if found else "" if rule else text
    if not speaker:
        asked = f"{section}.{'speaker_rule' if rule else 'speaker'}"
        raise TaaeError(f"{place}: {asked} finds no speaker in {value!r}")
    return speaker


def draw_speakers(
    speakers: Iterable[str], corpus: dict[str, Any], otherwise: str
) -> dict[str, str]:
    """Draw the speakers of the splits at random; return the split of each that is used.

    A corpus has validation and test speakers, and the others are for training. A test set has
    test speakers alone: all where there are no more.

    Args:
        speakers: of all utterances; repeated or not.
        corpus: the resolved section, with the settings of its kind.
        otherwise: how splits can be given instead, for errors.

    Raises:
        TaaeError: there are too few speakers.
    """
    kind, settings, names = corpus["kind"], corpus[corpus["kind"]], sorted(set(speakers))
    validation, test = settings["validation_speakers"], settings["test_speakers"]
    alone = corpus.get("splits") == ["test"]
    if not alone and len(names) < validation + test + 1:
        raise TaaeError(
            f"corpus: {len(names)} speaker{'s' if len(names) > 1 else ''}"
            f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}):"
            f" too few for {validation} validation, {test} test and at least 1 training speakers;"
            f" lower corpus.{kind}.validation_speakers and corpus.{kind}.test_speakers, check"
            f" corpus.{kind}.speaker, or {otherwise}"
        )
    random.Random(f"{corpus['seed']}/speakers").shuffle(names)
    split_of = dict.fromkeys(names[:test], "test")
    if not alone:
        split_of |= dict.fromkeys(names[test : test + validation], "validation")
        split_of |= dict.fromkeys(names[test + validation :], "train")
    return split_of
