"""From the files that listeners send back to scores; what cannot be trusted is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from taae.evaluation.metrics import METRICS, Status
from taae.listening.design import ADDED, DESIGNS, ListeningTest, Trial, check_study, read_key
from taae.listening.order import checksum, shuffled
from taae.listening.screening import COLUMNS as SCREENING
from taae.listening.screening import screen
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from taae.utils.log import log

FORMAT = "taae-ratings/1"
RATING = ["test", "listener", "trial", "arm", "value"]
COLUMNS = [
    *["run", "variant", "seed", "bitrate", "utterance", "speaker", "listener", "split"],
    *["metric", "settings", "value", "status", "message"],
]


def write_scores(
    paths: Sequence[Path],
    folders: Iterable[Path],
    output: Path,
    listeners: Path | None = None,
    study: Study | None = None,
) -> None:
    """Write the ratings of tests as scores, without listeners whom the screening excludes.

    Args:
        paths: the listeners' files.
        folders: of the tests that the files are of.
        output: CSV, one row per listener, utterance and arm.
        listeners: CSV of `taae.listening.screening.screen`, if wanted.
        study: that the tests have to be of, if given.
    """
    tests = {test.name: test for test in map(read_key, folders)}
    if study:
        for test in tests.values():
            check_study(test, study)
    ratings = collect(paths, tests)
    screened = screening(ratings, tests)
    out = screened[screened["excluded"]]
    for row in out.itertuples():
        log(f"excluded: {row.listener} ({row.reason})")
    merged = ratings.merge(screened[["test", "listener", "excluded"]], on=["test", "listener"])
    kept = merged[~merged["excluded"]]
    if listeners:
        write_csv(screened, listeners)
    for name, panel in screened.groupby("test"):
        if panel["excluded"].all():
            why = ", ".join(f"{row.listener} ({row.reason})" for row in panel.itertuples())
            raise TaaeError(f"test {name}: the screening excludes every listener: {why}")
    table = scores(kept, tests)
    write_csv(table, output)
    log(f"{screened['listener'].nunique()} listeners, {len(out)} excluded, {len(table)} scores")


def collect(paths: Sequence[Path], tests: dict[str, ListeningTest]) -> pd.DataFrame:
    """Read rating files: a row per listener, trial and signal, training left out.

    Its columns are `RATING`.

    Raises:
        TaaeError: names the first file that is not a whole, unchanged file of one of the tests, or
            two of one listener.
    """
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], Path] = {}
    for path in paths:
        try:
            content = _read(path)
            test = tests.get(content["test"])
            if test is None:
                known = ", ".join(tests)
                raise TaaeError(
                    f"is of test {content['test']}, not of {known}; give its folder by --test"
                )
            listener = content["listener"]
            if other := seen.get((test.name, listener)):
                raise TaaeError(f"listener {listener} has rated this test in {other} too; keep one")
            seen[test.name, listener] = path
            found = _values(content, test)
        except TaaeError as error:
            raise TaaeError(f"{path}: {error}") from None
        rows += [{"test": test.name, "listener": listener} | row for row in found]
    return pd.DataFrame(rows, columns=RATING)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a rating file, well-formed and as its checksum says."""
    try:
        content = json.loads(path.read_bytes())
        claimed = content.pop("checksum")
        format_, names = content["format"], (content["test"], content["listener"])
        for trial in content["trials"]:
            sound = isinstance(trial["trial"], str) and isinstance(trial["ratings"], dict)
            if not sound or not isinstance(trial["signals"], list):
                raise ValueError("a trial is malformed")
        # As JSON.stringify writes it.
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    except OSError as error:
        raise TaaeError(f"cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TaaeError(f"is no rating file of a listening test ({error})") from error
    if format_ != FORMAT:
        raise TaaeError(f"is of the format {format_}, not {FORMAT}")
    if not all(isinstance(name, str) for name in names):
        raise TaaeError("is no rating file of a listening test (test or listener is no text)")
    if claimed != checksum(text):
        raise TaaeError("was changed after the test wrote it (its checksum differs); ask again")
    return content  # type: ignore[no-any-return]


def _values(content: dict[str, Any], test: ListeningTest) -> list[dict[str, Any]]:
    """Return trial, arm and value of each rating, checked against the test."""
    listener, design = content["listener"], DESIGNS[test.design]
    given = {each["trial"]: each for each in content["trials"]}
    if len(given) < len(content["trials"]):
        raise TaaeError("has a trial twice")
    missing = [trial for trial in test.rated if trial.trial not in given]
    done = len(test.rated) - len(missing)
    if missing:
        raise TaaeError(
            f"is half-finished: {done} of {len(test.rated)} trials; the listener can open the page"
            " again and go on"
        )
    if extra := given.keys() - {trial.trial for trial in test.rated}:
        raise TaaeError(f"has a trial that the test has not: {sorted(extra)[0]}")
    rows = []
    for trial in test.rated:
        ratings = given[trial.trial]["ratings"]
        if given[trial.trial]["signals"] != shuffled(
            trial.signals, test.name, listener, trial.trial
        ):
            raise TaaeError(f"trial {trial.trial}: its signals are not those of {listener}'s page")
        if ratings.keys() != trial.signals.keys():
            rated = len(ratings.keys() & trial.signals.keys())
            raise TaaeError(
                f"is half-finished: {rated} of {len(trial.signals)} ratings in trial {trial.trial}"
            )
        for name, value in ratings.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not design.lowest <= value <= design.highest:
                raise TaaeError(
                    f"trial {trial.trial}: {value!r} is no whole number from {design.lowest} to"
                    f" {design.highest}"
                )
            rows.append({"trial": trial.trial, "arm": trial.signals[name], "value": value})
        if test.design == "ab" and sum(ratings.values()) != 1:
            raise TaaeError(f"trial {trial.trial}: not one of the two signals is preferred")
    return rows


def screening(ratings: pd.DataFrame, tests: dict[str, ListeningTest]) -> pd.DataFrame:
    """Return `screen` of the MUSHRA tests, and a row for each other listener, who stays."""
    names = [name for name, test in tests.items() if test.design == "mushra"]
    mushra = ratings["test"].isin(names)
    others = ratings[~mushra].groupby(["test", "listener"], as_index=False)
    kept = others.agg(items=("trial", "nunique")).assign(excluded=False, reason="")
    tables = [each for each in (screen(ratings[mushra]), kept) if len(each)]
    return pd.concat(tables, ignore_index=True).reindex(columns=SCREENING)


def scores(ratings: pd.DataFrame, tests: dict[str, ListeningTest]) -> pd.DataFrame:
    """Return ratings as rows of scores with a listener.

    The preference is +1 where a listener prefers the arm to the one that it is compared with, and
    -1 where not; the arm compared with has 0 itself.

    Raises:
        TaaeError: the ratings of several tests do not make one table: preferences to different
            arms, an arm rated twice by a listener, or listeners of an arm who rated other speakers.
    """
    against = {trial.against for test in tests.values() for trial in test.rated if trial.against}
    if len(against) > 1:
        raise TaaeError(
            f"ratings: AB tests are against {' and '.join(sorted(against))}: preferences to"
            " different arms cannot be compared; give the tests against one"
        )
    rows = []
    trials = {(name, trial.trial): trial for name, test in tests.items() for trial in test.rated}
    for test, listener, name, arm, value in ratings[RATING].itertuples(index=False, name=None):
        rows.append(_score(tests[test], trials[test, name], listener, arm, value))
    table = pd.DataFrame(rows, columns=COLUMNS)
    keys = ["listener", "variant", "seed", "utterance", "metric"]
    # An arm that several are compared with, by one row each.
    nought = (table["metric"] == "preference") & (table["value"] == 0)
    table = table[~(nought & table.duplicated([*keys, "value"]))]
    twice = table[table.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        raise TaaeError(
            f"ratings: listener {row['listener']} has rated {row['variant']} at utterance"
            f" {row['utterance']} in two tests; give the ratings of one"
        )
    _check_speakers(table)
    return table.sort_values(keys, ignore_index=True)


def _check_speakers(table: pd.DataFrame) -> None:
    """Refuse listeners of one arm who rated other speakers: only common ones enter statistics."""
    for _, rows in table[~table["variant"].isin(ADDED)].groupby(["metric", "variant"]):
        speakers = rows.groupby("listener")["speaker"].agg(frozenset)
        if len(set(speakers)) > 1:
            row = rows.iloc[0]
            raise TaaeError(
                f"ratings: {row['metric']} of {row['variant']}: listeners rated different"
                " speakers, of whom only common ones could count; make"
                " tests of one arm with one --seed and --utterances"
            )


def _score(
    test: ListeningTest, trial: Trial, listener: str, name: str, value: int
) -> dict[str, Any]:
    arm = test.arms.get(name)
    metric = METRICS[DESIGNS[test.design].metric]
    if trial.against:
        value = 0 if name == trial.against else 2 * value - 1
    return {
        "run": arm.run if arm else name,
        "variant": name,
        "seed": arm.seed if arm else 0,
        "bitrate": arm.bitrate if arm else float("nan"),
        "utterance": trial.utterance,
        "speaker": trial.speaker,
        "listener": listener,
        "split": "test",
        "metric": metric.name,
        "settings": metric.settings,
        "value": value,
        "status": Status.OK,
        "message": "",
    }
