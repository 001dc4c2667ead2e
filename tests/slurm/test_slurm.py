"""The workflow on a real SLURM: `snakemake --profile slurm`, and what befalls jobs on clusters.

The cluster (`tests.slurm.cluster`) is one machine, its GPUs are fake and its memory is watched by
polling instead of control groups. All else is as on a site: the profile of the repository with the
partition filled in, sbatch, srun, time limits, requeues.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.slurm.cluster import Cluster, missing, running_cluster, wait_for
from tests.slurm.site import MODEL, PATIENCE, Site, rule_of
from tests.workflow.conftest import ROOT, SMOKE

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

HERE = Path(__file__).parent
SEEDS = (1, 2, 3, 4)


@dataclass
class Training:
    """A running training: its job, and its process, which stands still."""

    job: dict[str, str]
    process: psutil.Process

    def signalled(self) -> bool:
        """Return whether SIGTERM waits for the process to go on, or has ended it already."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except FileNotFoundError:
            return True
        pending = re.findall(r"^\w*Pnd:\s*(\w+)", status, re.M)
        return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in pending)

    def go_on(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self.process.resume()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def prepared(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Site, dict[int, bytes]]:
    """A clone with its corpus, and the models that trainings without a fault leave."""
    site = Site(tmp_path_factory.mktemp("struck") / "with space", cluster, "struck.yaml")
    shutil.copy(HERE / "struck.yaml", site.folder)
    site.snakemake(*(MODEL.format(seed) for seed in SEEDS), study="struck.yaml")
    return site, {seed: site.model(seed).read_bytes() for seed in SEEDS}


@pytest.fixture
def struck(prepared: tuple[Site, dict[int, bytes]]) -> Iterator[Site]:
    """The clone without its models; those that are there in the end must be the same again."""
    site, expected = prepared
    for part in ("models", "kept", "state", "logs/train"):
        shutil.rmtree(site.folder / "results" / part, ignore_errors=True)
    yield site
    for seed in SEEDS:
        if site.model(seed).exists():
            assert site.model(seed).read_bytes() == expected[seed]
    assert not list((site.folder / "results" / "state").rglob("*.pt"))
    assert site.cluster.jobs() == []


@contextmanager
def trainings(
    site: Site, seeds: Sequence[int] = (1,)
) -> Iterator[tuple[subprocess.Popen[bytes], list[Training]]]:
    """Start Snakemake and wait until every training is on its way; there they stand still."""
    with site.started(*(MODEL.format(seed) for seed in seeds)) as run:
        found = {}
        for seed in seeds:
            wait_for(partial(under_way, site, seed), "a training under way")
            found[seed] = process_of(site, seed)
            found[seed].suspend()
        jobs = {job["Comment"]: job for job in site.submitted()}
        yield (
            run,
            [
                Training(jobs[f"rule_train_wildcards_baseline_{seed}"], found[seed])
                for seed in seeds
            ],
        )


def under_way(site: Site, seed: int) -> bool:
    return "step 15/60" in site.log(seed)


def process_of(site: Site, seed: int) -> psutil.Process:
    """Return the process of a training in the folder of a site.

    Of several it is the latest: the first one merely waits for srun, which starts the others.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if (
                words[1:4] == ["-m", "taae", "train"]
                and words[words.index("--seed") + 1] == str(seed)
                and process.cwd() == str(site.folder)
            ):
                found.append(process)
    assert found, f"no training with seed {seed}"
    return max(found, key=psutil.Process.create_time)


def documented(heading: str) -> str:
    """Return the first indented block of docs/cluster.md that follows a line."""
    text = (ROOT / "docs" / "cluster.md").read_text()
    _, _, rest = text.partition(heading)
    lines = []
    for line in rest.splitlines():
        if line.startswith("    "):
            lines.append(line.strip())
        elif lines:
            break
    assert lines, heading
    return "\n".join(lines)


def test_the_smoke_study_runs_as_jobs(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = Site(tmp_path_factory.mktemp("smoke") / "clone", cluster, SMOKE)
    site.run()
    assert site.jobs() == Counter()
    assert "Nothing to be done" in site.snakemake("-n").stdout
    tables, figures = site.folder / "results" / "tables", site.folder / "results" / "figures"
    assert (tables / "summary.md").stat().st_size > 500
    assert (figures / "smoke" / "forest.pdf").stat().st_size > 5000
    # The small ones run here or share a submission.
    submitted = Counter(rule_of(job["Comment"]) for job in site.submitted())
    assert submitted == Counter(
        corpus=1,
        reference=1,
        trunk=1,
        train=4,
        cost=1,
        lengths=2,
        robustness=2,
        precision=2,
        rates=2,
    ) + Counter(decode=2, decode_points=2, score=2, score_points=2, other_codec=2)


def test_trainings_that_slurm_ends_go_on_from_their_checkpoints(struck: Site) -> None:
    """scancel, a requeue as by preemption, and a time limit with and without its signal."""
    command = struck.cluster.command
    with trainings(struck, SEEDS) as (run, started):
        cancelled, requeued, warned, late = (training.job["JobId"] for training in started)
        command("scancel", cancelled)
        command("scontrol", "requeue", requeued)
        # The profile has SLURM send SIGTERM 120 s before the end.
        command("scontrol", "update", f"JobId={warned}", "EndTime=now+100")
        command("scontrol", "update", f"JobId={late}", "EndTime=now+1")
        # SLURM looks at time limits every 30 s, all the while the trainings stand still.
        for training in started:
            wait_for(training.signalled, "SIGTERM")
            training.go_on()
        assert struck.exit_status(run) == 0
    for seed in SEEDS:
        assert "resuming at step" in struck.log(seed)
    attempts: dict[str, list[dict[str, str]]] = {}
    for job in struck.submitted():
        attempts.setdefault(job["Comment"][-1], []).append(job)
    states = [[job["JobState"] for job in jobs] for _, jobs in sorted(attempts.items())]
    assert states == [
        ["CANCELLED", "COMPLETED"],
        ["COMPLETED"],
        ["FAILED", "COMPLETED"],
        ["TIMEOUT", "COMPLETED"],
    ]
    assert attempts["2"][0]["Restarts"] == "1"
    # The second attempt asks for twice the memory and the time of the first.
    first, second = (int(job["MinMemoryNode"].removesuffix("M")) for job in attempts["1"])
    assert 4000 <= first < 4100
    assert second == 2 * first
    assert [job["TimeLimit"] for job in attempts["1"]] == ["06:00:00", "12:00:00"]


def test_a_training_whose_node_is_lost_runs_on_another(struck: Site) -> None:
    command = struck.cluster.command
    with trainings(struck) as (run, (started,)):
        node = started.job["NodeList"]
        command("scontrol", "update", f"NodeName={node}", "State=down", "Reason=test")
        try:
            wait_for(lambda: not started.process.is_running(), "the end of the first training")
            assert struck.exit_status(run) == 0
        finally:
            command("scontrol", "update", f"NodeName={node}", "State=resume")
    (job,) = struck.submitted()
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert job["NodeList"] != node


def test_interrupting_snakemake_cancels_its_jobs_and_loses_nothing(struck: Site) -> None:
    with trainings(struck) as (run, _):
        run.send_signal(signal.SIGINT)
        assert struck.exit_status(run) != 0
    wait_for(lambda: not struck.cluster.jobs(), "the end of the job")
    assert not struck.model(1).exists()
    struck.run(MODEL.format(1))
    assert "resuming at step" in struck.log(1)


def test_a_killed_snakemake_is_recovered_as_documented(struck: Site) -> None:
    with trainings(struck) as (run, (started,)):
        run.kill()
        run.wait()
    assert struck.cluster.jobs("running") == [started.job["JobId"]]
    done = subprocess.run(
        ["bash", "-ec", f"{documented('If Snakemake itself was killed')} -- {MODEL.format(1)}"],
        cwd=struck.folder,
        env=struck.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "resuming at step" in struck.log(1)


def test_a_training_over_two_nodes(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = Site(tmp_path_factory.mktemp("nodes") / "clone", cluster, "two.yaml")
    study = (HERE / "struck.yaml").read_text()
    (site.folder / "two.yaml").write_text(study.replace("batch: 1", "batch: 2\n  nodes: 2"))
    with trainings(site) as (run, (training,)):
        assert training.job["NumNodes"] == "2"
        site.cluster.command("scontrol", "requeue", training.job["JobId"])
        training.go_on()
        assert site.exit_status(run) == 0
    assert "resuming at step" in site.log(1)
    assert site.model(1).exists()


def test_memory_and_gpus_arrive_as_asked_for(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = Site(tmp_path_factory.mktemp("requests") / "clone", cluster, SMOKE)
    shutil.copy(HERE / "requests.smk", site.folder)
    site.run("--snakefile", "requests.smk")
    requests = site.folder / "requests"
    node, gpus, job = (requests / "two.txt").read_text().split()
    assert sorted(gpus.split(",")) == ["0", "1"]
    assert cluster.details(job)["TresPerJob"] == "gres:gpu:2"
    (node, gpu, _), (other_node, other_gpu, _) = (
        (requests / f"one-{name}.txt").read_text().split() for name in "ab"
    )
    assert node == other_node
    assert {gpu, other_gpu} == {"0", "1"}
    killed, grown = (job for job in site.submitted() if job["Comment"] == "rule_hog")
    assert (killed["MinMemoryNode"], grown["MinMemoryNode"]) == ("700M", "1400M")
    assert (killed["TimeLimit"], grown["TimeLimit"]) == ("00:10:00", "00:20:00")
    # Where control groups watch the memory, the first state is OUT_OF_MEMORY.
    assert (killed["JobState"], grown["JobState"]) == ("FAILED", "COMPLETED")
