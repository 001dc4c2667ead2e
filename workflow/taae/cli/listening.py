"""Listening tests: listen, ratings."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from taae.cli.shared import STUDY, Study, command
from taae.listening.design import DesignName
from taae.study.load import load_study
from taae.utils.options import Count, Whole


@command(STUDY)
def listen(
    *,
    design: DesignName,
    output: Path,
    study: Study | None = None,
    results: Path = Path("results"),
    ablation: str | None = None,
    arms: list[str] | None = None,
    utterances: Count = 8,
    seed: Whole = 1,
) -> None:
    """Write a blind listening test of decoded speech.

    Args:
        design: mushra (each signal from 0 to 100 beside the reference), ab (which of two arms is
            preferred) or dcr (how far an arm is degraded, from 5 to 1).
        output: new folder of the test.
        study: that the arms are of; by itself the study of the results.
        results: folder of all results.
        ablation: whose arms are heard, its reference first.
        arms: more arms, variants or other codecs; with neither, all that are no controls.
        utterances: that are rated; one more is for training.
        seed: of the choice of utterances, spread over speakers.
    """
    from taae.listening.build import check_results, choose_arms, write_test

    resolved = load_study(study or [results / "study.json"])
    chosen = choose_arms(resolved, results, design, ablation, arms or [])
    check_results(resolved, results, chosen)
    salt = secrets.token_hex(16)
    test = write_test(resolved, results, output, design, chosen, utterances, seed, salt)
    print(
        f"{output}/send is what listeners get: {len(test.rated)} trials of {', '.join(chosen)}."
        f" Keep {output}/key.json, and put their files into {output}/ratings."
    )


@command(STUDY)
def ratings(
    files: list[Path],
    /,
    *,
    test: Annotated[list[Path], Parameter(help="folders of the tests that the files are of")],
    output: Path,
    listeners: Path | None = None,
    study: Study | None = None,
) -> None:
    """Turn what listeners rated into scores: checked, screened.

    Args:
        files: that listeners sent back.
        output: CSV, one row per listener, utterance and arm.
        listeners: CSV, one row per listener: who is excluded, and why.
        study: that the tests have to be of: a test of other arms or settings is refused.
    """
    from taae.listening.ratings import write_scores

    write_scores(files, test, output, listeners, load_study(study) if study else None)
