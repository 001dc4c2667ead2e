"""Numbers on the command line. By themselves cyclopts' integers round 1.5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token
from cyclopts.validators import Number


def whole(_: object, tokens: Sequence[Token]) -> int:
    """Read a whole number."""
    return int(tokens[0].value)


Whole = Annotated[int, Parameter(converter=whole)]
Count = Annotated[Whole, Parameter(validator=Number(gte=1))]
