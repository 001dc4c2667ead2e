"""What commands share: the application, its groups of commands, options, and exit statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from cyclopts import App, Group, Parameter, Token

from taae.codec.operating_points import NATIVE, PRESET_POINTS
from taae.utils.options import Count

Function = TypeVar("Function", bound=Callable[..., int | None])

INTERRUPTED = 130  # exit status after Ctrl-C, as in a shell
RESUMABLE = 75  # exit status of a training that saved its state: run it again (EX_TEMPFAIL)

STUDY, CODEC, AUDIO, MEASURE = (
    Group(name, sort_key=order)
    for order, name in enumerate(("A study", "A codec", "Audio", "What it takes"))
)


def not_empty(_: object, values: object) -> None:
    """Refuse an option of several values that is given none."""
    if values == []:
        raise ValueError("give at least one")


def among(names: Iterable[str]) -> Parameter:
    """Return the check of an option that takes these values alone."""
    known = list(names)

    def check(kind: object, values: str | list[str] | None) -> None:
        not_empty(kind, values)
        for name in [values] if isinstance(values, str) else values or []:
            if name not in known:
                raise ValueError(f"'{name}' is none of {', '.join(known)}")

    return Parameter(validator=check)


app = App(
    name="taae",
    help="Ablation studies of the TAAE speech codec, and the codec by itself. Commands that only"
    " Snakemake's rules call are not listed.",
    help_format="plaintext",
    version_flags=(),
    default_parameter=Parameter(negative=(), consume_multiple=True, validator=not_empty),
)


def command(group: Group | None = None, **options: Any) -> Callable[[Function], Function]:
    """Make a function a command; its docstring is its help.

    `--help` lists a command that has a group. Rules call the others.
    """
    add: Callable[[Function], Function] = app.command(
        group=group, show=group is not None, **options
    )
    return add


def _model(_: object, tokens: Sequence[Token]) -> Path:
    """Return the folder of a model that may be given by its name on the hub."""
    from taae.codec.hub import model_folder

    return model_folder(tokens[0].value)


Study = Annotated[list[Path], Parameter(help="config files, laid over each other")]
Corpus = Annotated[Path, Parameter(help="folder of the corpus")]
Model = Annotated[
    Path,
    Parameter(help="folder of the model, or user/name on the Hugging Face hub", converter=_model),
]
Point = Annotated[
    str,
    Parameter(
        help=f"operating point: {NATIVE}, {', '.join(PRESET_POINTS)}, LEVELS@own, or stages"
        " LEVELS@SCALE+..."
    ),
]
EntropyModel = Annotated[
    Path | None, Parameter(help="entropy model; by itself the model's, if any")
]
Threads = Annotated[Count, Parameter(help="CPU threads")]
Gpus = Annotated[Literal[0, 1], Parameter(help="0: compute on the CPU")]
Jobs = Annotated[Count, Parameter(help="processes")]
