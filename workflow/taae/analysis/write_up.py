"""A report whose numbers come from tables: a Jinja template, filled in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from jinja2.sandbox import SandboxedEnvironment

from taae.utils.errors import TaaeError
from taae.utils.files import read_csv


class Tables:
    """The functions of a template; `table` is the path of a CSV below a folder, without `.csv`.

    `where` says which row is meant: the values of as many columns as tell it from all others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read = cache(lambda table: read_csv(self._path(table), ()))

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Return all rows, with numbers as numbers, in the order of the table.

        Raises:
            TaaeError: no such table, column or value.
        """
        read = self._read(table)
        for column, value in where.items():
            column = column.rstrip("_")  # `name_` where Jinja has a word `name`
            self._check(table, column)
            read = read[read[column] == value]
        if read.empty:
            raise TaaeError(f"{self._path(table)}: no row with {_words(where)}")
        return read.to_dict("records")  # type: ignore[return-value]

    def cell(self, table: str, column: str, **where: Any) -> Any:
        """Return the value of one cell.

        Raises:
            TaaeError: no such table or column, no row or several, or an empty cell.
        """
        found = self.rows(table, **where)
        self._check(table, column)
        if len(found) > 1:
            several = f"{len(found)} rows with {_words(where)}; name more columns"
            raise TaaeError(f"{self._path(table)}: {several}")
        value = found[0][column]
        if pd.isna(value):
            raise TaaeError(f"{self._path(table)}: {column} is empty where {_words(where)}")
        return value

    def number(self, table: str, column: str, digits: int, **where: Any) -> str:
        """Return the number in a cell with so many digits after the point."""
        return _rounded(self.cell(table, column, **where), f".{digits}f")

    def change(self, table: str, digits: int, **where: Any) -> str:
        """Return a difference with its interval: `+0.057 [-0.015, +0.129]`."""
        names = ("difference", "low", "high")
        middle, low, high = (
            _rounded(self.cell(table, name, **where), f"+.{digits}f") for name in names
        )
        return f"{middle} [{low}, {high}]"

    def _path(self, table: str) -> Path:
        return self.folder / f"{table}.csv"

    def _check(self, table: str, column: str) -> None:
        columns = self._read(table).columns
        if column not in columns:
            raise TaaeError(f"{self._path(table)}: no column {column}; it has {', '.join(columns)}")


def write_up(template: Path, tables: Path) -> str:
    """Return the text of a template, in which `Tables` of a folder are functions.

    `include` takes templates from the same folder.

    Raises:
        TaaeError: what is wrong with the template, a table or a cell, and in which line.
    """
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source = Tables(tables)
    for name in ("rows", "cell", "number", "change"):
        environment.globals[name] = getattr(source, name)
    try:
        text = template.read_text(encoding="utf-8")
        return environment.from_string(text).render()
    except jinja2.TemplateNotFound as error:  # an OSError too
        raise TaaeError(f"{template}, line {_line(error)}: no template {error.name}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TaaeError(f"{template}: not readable ({error})") from None
    except jinja2.TemplateSyntaxError as error:
        where = template.with_name(error.name) if error.name else template
        raise TaaeError(f"{where}, line {error.lineno}: {error.message}") from None
    except (jinja2.TemplateError, TaaeError, TypeError, ValueError) as error:
        raise TaaeError(f"{template}, line {_line(error)}: {error}") from None


def _rounded(value: float, form: str) -> str:
    """Return a number in a format, without the minus of what is rounded to nil."""
    text = f"{value:{form}}"
    return text if float(text) else f"{0:{form.lstrip('+')}}"


def _line(error: BaseException) -> int:
    """Return the line of the template in which an error arose."""
    found, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _words(where: dict[str, Any]) -> str:
    return ", ".join(f"{column} = {value}" for column, value in where.items()) or "any value"
