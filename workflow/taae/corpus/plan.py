"""What a kind of corpus plans: jobs that processes can do independently of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from taae.corpus.utterance import Outcome


@dataclass(frozen=True)
class Plan:
    """`work(job)` prepares the utterances of a job; jobs are in the order of the corpus.

    `inputs` is a digest that is another where the files of the jobs are others; empty where the
    settings of the corpus alone determine it.
    """

    work: Callable[[Any], list[Outcome]]
    jobs: Sequence[Any]
    inputs: str = ""
