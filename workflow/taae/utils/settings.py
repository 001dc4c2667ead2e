"""Settings: dataclasses whose every key has its type, range, default, unit and text in one place.

A room's `config.py` declares them: the range in the type, and below each key its text, which begins
with the unit in brackets. Nothing here or there imports torch, numpy or pandas.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from dataclasses import field
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from taae.utils.errors import TaaeError

T = TypeVar("T")
SHOWN = 60  # characters of a value that an error repeats


class Settings:
    """Base of the dataclasses that `validate` makes."""

    # Text is never a number, true and false are no numbers, and an unknown key is an error.
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def default(value: Any) -> Any:
    """Declare a default that is a list or a mapping."""
    return field(default_factory=lambda: copy.copy(value))


def _distinct(values: list[T]) -> list[T]:
    twice = [value for number, value in enumerate(values) if value in values[:number]]
    if twice:
        raise ValueError(f"{_shown(twice[0])} is there twice")
    return values


NonEmpty = Annotated[list[T], Field(min_length=1)]
Distinct = Annotated[
    list[T], AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})
]
Share = Annotated[float, Field(ge=0, le=1)]
# The name of a variant, an ablation or another codec becomes the name of a folder.
Name = Annotated[str, Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]


def validate(kind: type[T], value: Any) -> T:
    """Return a plain value, as YAML and JSON have them, as settings with every default.

    Raises:
        TaaeError: one line with the full key of the first mistake and what is wrong with it.
    """
    try:
        # As JSON, where strict means types alone: sections are mappings, not instances.
        return TypeAdapter(kind).validate_json(json.dumps(value, default=str))
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # A key that is not known explains the one that is missing.
    unknown = [each for each in errors if each["type"] == "unexpected_keyword_argument"]
    raise TaaeError(_explain(kind, (unknown or errors)[0]))


def _explain(kind: Any, error: ErrorDetails) -> str:
    """Say where and what is wrong, in the words of a config file."""
    place, value, message = list(error["loc"]), error["input"], error["msg"]
    if error["type"] == "unexpected_keyword_argument":
        name = str(place.pop())
        known = [field.rstrip("_") for field in _kind_at(kind, place).__dataclass_fields__]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
        message = f"unknown key '{name}'; {hint}"
    elif error["type"] in ("int_type", "float_type") and isinstance(value, str):
        message = (
            f"{_shown(value)} is text, not a number"
            " (numbers with an exponent need a point in YAML: 1.0e-3)"
        )
    elif error["type"] in ("missing", "union_tag_not_found"):
        message = "must be given"
    elif error["type"] == "union_tag_invalid":
        known = list(tagged(_kind_at(kind, place)))
        message = f"{_shown(value['kind'])} should be {', '.join(known)}"
    elif error["type"] in ("dataclass_type", "model_attributes_type"):
        message = f"{_shown(value)} should be a mapping of keys"
    else:
        message = message.removeprefix("Value error, ").replace(" after validation", "")
        message = re.sub("^(Input|List|String)(?= should)", lambda _: _shown(value), message)
    # pydantic adds parts of its own in brackets: of a key that is wrong, of a choice of types.
    names = [
        str(part)
        for number, part in enumerate(place)
        if "[" not in str(part) and part not in tagged(_kind_at(kind, place[:number]))
    ]
    if error["type"].startswith("union_tag"):
        names.append("kind")
    return ": ".join([".".join(names), message] if names else [message])


def _kind_at(kind: Any, place: list[Any]) -> Any:
    """Return the settings at a place within others."""
    for part in place:
        inside = isinstance(kind, type) and issubclass(kind, Settings)
        if inside:
            hints = get_type_hints(kind)
            kind = hints.get(part, hints.get(f"{part}_"))
        else:
            kind = tagged(kind).get(part) or (get_args(kind) or [None])[-1]
        if type(None) in get_args(kind):  # a section that may be left out
            kind = get_args(kind)[0]
    return kind


def tagged(kind: Any) -> dict[str, Any]:
    """Return the settings of a choice among several by their `kind`; else nothing."""
    members = [each for each in get_args(kind) if hasattr(each, "__dataclass_fields__")]
    if len(members) < 2:
        return {}
    return {get_args(get_type_hints(each)["kind"])[0]: each for each in members}


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
