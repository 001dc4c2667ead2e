# The study with jobs that only sleep and write: what remains is Snakemake and SLURM.
#
# Snakemake's process, its DAG, sbatch, squeue, the controller and the nodes are real. A job on a
# node runs `stub` where it would start Snakemake twice more and then the work, since one machine
# would need hours to do so for all nodes.

import json
import sys

from snakemake_interface_executor_plugins.utils import (
    TargetSpec,
    encode_target_jobs_cli_args,
)


include: "Snakefile"


workflow.default_target = "all"
# What the executor has nodes run instead of Python.
sys.executable = str(Path("stub").absolute())
SECONDS = json.loads(Path("seconds.json").read_text())


def script(job):
    """Sleep and write, in the shell; an output that is a folder holds a file."""
    files = [f"{file}/file" if file.is_directory else str(file) for file in job.output]
    lines = [f"sleep {SECONDS.get(job.rule.name, SECONDS['else'])}"]
    files += [str(job.benchmark)] if job.benchmark else []
    for file in map(shlex.quote, files):
        lines.append(f"mkdir -p $(dirname {file}); echo stub > {file}")
    return "\n".join(lines) + "\n"


def write_scripts():
    """Write one script for each job, under the name by which Snakemake would ask for the job."""
    Path("scripts").mkdir(exist_ok=True)
    for job in workflow.dag.jobs:
        (name,) = encode_target_jobs_cli_args(job.get_target_spec())
        Path("scripts", name).write_text(script(job))


def run_script(input, output, params, wildcards, threads, resources, log, rule, *_):
    """Stand in for the work of a rule that runs where Snakemake does."""
    (name,) = encode_target_jobs_cli_args([TargetSpec(rule, dict(wildcards.items()))])
    shell("sh scripts/{name}")


for stubbed in workflow.rules:
    stubbed.run_func = run_script


onstart:
    write_scripts()
