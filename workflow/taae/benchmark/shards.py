"""The jobs of a corpus in shards, which no dry run lists: they are known once the files are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from taae.benchmark.jobs import Job, rule_of
from taae.benchmark.speech import Amount
from taae.study.study import Study

CUT, SHARD, CORPUS = "shards", "corpus_shard", "corpus"  # rules
LISTING = 5e-5  # CPU s per file, docs/scale.md


def with_shards(jobs: Sequence[Job], study: Study, speech: Amount) -> list[Job]:
    """Return the jobs of a study with those that prepare its shards, before the one that joins.

    `speech` is that of the corpus. A shard asks for what the job of a whole corpus asks for.
    """
    if not study.shard_hours:
        return list(jobs)
    (cut,) = (job for job in jobs if job.rule == CUT)
    (joins,) = (job for job in jobs if job.rule == CORPUS)
    shards = [
        replace(
            joins,
            rule=SHARD,
            wildcards={"shard": str(number)},
            inputs=cut.outputs,
            outputs=(f"results/corpus/shards/{number}",),
            benchmark="",
        )
        for number in range(shard_count(study, speech))
    ]
    made = tuple(path for job in shards for path in job.outputs)
    after = replace(joins, inputs=(*joins.inputs, *made))
    others = [job for job in jobs if job is not joins]
    place = others.index(cut) + 1
    return [*others[:place], *shards, after, *others[place:]]


def shard_count(study: Study, speech: Amount) -> int:
    """Return about how many shards there will be; 1 where the corpus is not cut."""
    return max(1, round(speech.hours / study.shard_hours)) if study.shard_hours else 1


def prepares(job: Job, study: Study) -> bool:
    """Whether a job prepares speech, and does not merely join what others have prepared."""
    joins = job.rule == CORPUS and study.shard_hours > 0
    return rule_of(job) in (CORPUS, SHARD) and not joins
