"""A SLURM cluster on this machine, for the tests: munged, slurmctld and a slurmd for each node.

Everything stays in one temporary folder and on one address; nothing under /etc is read or
written. The nodes claim more processors, memory and GPUs than there are. A GPU is a link to
/dev/null: SLURM schedules it and sets CUDA_VISIBLE_DEVICES, nothing can compute on it.

Unlike most clusters it has no accounting database and no control groups: Snakemake has to ask
`squeue`, and memory is watched by polling.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

NODES = 2
GPUS = 2  # of each node
PARTITION = "main"
PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "squeue",
    "scancel",
    "scontrol",
    "sdiag",
    "setpriv",
)

CONFIGURATION = """\
ClusterName=taae
SlurmctldHost={host}({address})
SlurmctldPort={port}
SlurmUser=root
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
# A requeued job waits until its credential has expired, by default 120 s.
AuthInfo=socket={folder}/munge.socket,cred_expire=8
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
# A step above its memory is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=UsePss,OverMemoryKill
# A request that no node can meet is refused, rather than waiting for ever.
EnforcePartLimits=ALL
# Finished jobs stay in squeue, which is all that Snakemake can ask here.
MinJobAge=36000
KillWait=10
SlurmdParameters=config_overrides
GresTypes=gpu
PartitionName={partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr={address} Port={port}"
    " CPUs=32 RealMemory=256000 Gres=gpu:{gpus}\n"
)


def missing() -> str:
    """Say what this machine lacks to run a cluster; empty: nothing."""
    if programs := [name for name in PROGRAMS if not shutil.which(name, path=_path())]:
        return f"{', '.join(programs)} not found; Debian: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "slurmd needs root"


class Cluster:
    """A running cluster: `environment` is what a program needs to find it."""

    def __init__(self, folder: Path, nodes: int = NODES) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.configuration = folder / "slurm.conf"
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {"PATH": f"{folder / 'bin'}:{_path()}"}

    def start(self) -> None:
        """Start the daemons and wait until all nodes are idle."""
        self._configure()
        self._start("munged", "--foreground", "--force", *self._munge_files())
        wait_for((self.folder / "munge.socket").exists, "munged to listen")
        self._start("slurmctld", "-D", "-f", str(self.configuration))
        for node in self.nodes:
            self._start("slurmd", "-D", "-N", node, "-f", str(self.configuration), name=node)
        wait_for(lambda: self.states() == dict.fromkeys(self.nodes, "idle"), "idle nodes")

    def stop(self) -> None:
        """Cancel every job, then end every daemon and whatever is left of the jobs."""
        if "slurmctld" in self.daemons:
            self.command("scancel", "--user=root", check=False)
            with suppress(TimeoutError):
                wait_for(lambda: not self.jobs(), "the end of the jobs")
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                # The processes of a job know its cluster; no other process does.
                if process.environ().get("SLURM_CONF") == str(self.configuration):
                    process.kill()

    def command(self, *words: str, check: bool = True) -> str:
        """Run a command of SLURM and return what it prints."""
        done = subprocess.run(
            words, capture_output=True, text=True, env=self.environment, timeout=60
        )
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stderr}")
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        lines = self.command("sinfo", "-h", "-N", "-o", "%N %t", check=False).splitlines()
        return dict(line.split() for line in lines)

    def jobs(self, *states: str) -> list[str]:
        """Return the ids of the jobs in these states; default: those not yet over."""
        chosen = ",".join(states or ("pending", "running", "suspended", "completing"))
        return self.command("squeue", "-h", "-o", "%i", "-t", chosen, check=False).split()

    def details(self, job: str) -> dict[str, str]:
        """Return what the controller knows of a job, as `scontrol show job` names it."""
        words = self.command("scontrol", "--oneliner", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def requests(self) -> dict[str, tuple[int, float]]:
        """Return how often the controller was asked, and for how many seconds, by kind."""
        told = self.command("sdiag").partition("by message type")[2].partition("by user")[0]
        found = re.findall(r"(\w+)\s+\(\s*\d+\) count:(\d+)\s.*total_time:(\d+)", told)
        return {kind: (int(count), 1e-6 * int(spent)) for kind, count, spent in found}

    def log(self) -> str:
        """Return the end of the controller's log."""
        return (self.folder / "slurmctld.log").read_text()[-3000:]

    def _configure(self) -> None:
        host = socket.gethostname()
        address = socket.gethostbyname(host)
        ports = _free_ports(address, 1 + len(self.nodes))
        for name in ("bin", "state", "spool", "gpus"):
            (self.folder / name).mkdir()
        text = CONFIGURATION.format(
            host=host, address=address, port=ports[0], folder=self.folder, partition=PARTITION
        )
        devices = ""
        for node, port in zip(self.nodes, ports[1:], strict=True):
            (self.folder / "spool" / node).mkdir()
            text += NODE.format(name=node, host=host, address=address, port=port, gpus=GPUS)
            for number in range(GPUS):
                device = self.folder / "gpus" / f"{node}-{number}"
                device.symlink_to(os.devnull)
                devices += f"NodeName={node} Name=gpu File={device}\n"
        self.configuration.write_text(text)
        (self.folder / "gres.conf").write_text(devices)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        # Snakemake drops SLURM_CONF before it starts a job step; the commands themselves must
        # know the cluster.
        for name in ("sbatch", "srun", "squeue", "scancel", "scontrol", "sdiag", "sinfo"):
            self._script(
                name,
                f'SLURM_CONF={self.configuration} exec {shutil.which(name, path=_path())} "$@"',
            )
        # There is no accounting to ask, and the real ones say so with an error.
        for name in ("sacct", "sacctmgr", "sshare"):
            self._script(name, "exit 0")

    def _script(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def _munge_files(self) -> list[str]:
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        return [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]

    def _start(self, *command: str, name: str = "") -> None:
        name = name or command[0]
        # Should this process be killed, the daemons are not to outlive it.
        words = ["setpriv", "--pdeathsig=TERM", "--", *command]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.daemons[name] = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )


@contextmanager
def running_cluster(nodes: int = NODES) -> Iterator[Cluster]:
    """Start a cluster in a folder of its own; stop it and remove the folder, come what may."""
    # Not in pytest's folder: the path of a socket may have 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="taae-slurm-"))
    cluster = Cluster(folder, nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Wait until a condition holds; TimeoutError if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.1)


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _free_ports(address: str, count: int) -> list[int]:
    """Return ports in a row that nothing listens on, below those that the system hands out."""
    while True:
        first = random.randrange(15_000, 30_000)
        ports = list(range(first, first + count))
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind((address, port))
        except OSError:
            continue
        return ports
