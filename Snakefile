# Which part of the TAAE speech codec matters? corpus -> models -> decoded -> scores -> tables
# -> figures -> page, each a folder of results/. The rules say what depends on what; the package
# workflow/taae/ does the work.

from snakemake.utils import min_version

min_version("9.0")


# By its place, so that `--directory` may keep another study's results, and other workflows may use
# this one as a module.
configfile: f"{workflow.current_basedir}/config.yaml"


include: "workflow/rules/common.smk"


# For --sdm apptainer: no image is published, so whoever has built one names it (envs/Dockerfile).
if IMAGE:

    container: IMAGE


report: "workflow/report/workflow.rst"


wildcard_constraints:
    variant="|".join(STUDY.variants),
    seed=r"\d+",
    codec="|".join(STUDY.codecs) or "none",
    ablation="|".join(STUDY.ablations) or "none",
    test="|".join(STUDY.tests) or "none",
    subset="|".join(STUDY.download.subsets) or "none",


onstart:
    check_cpus()
    check_packages_of_jobs()
    write_study()
    store_study()
    keep_replaced_models()
    # Snakemake's limit of 100 jobs a second is never met here, but has 9.27.1 look over all ready
    # jobs once a second for each job that has ended: a fifth of a core late in the demo.
    workflow.scheduler.job_rate_limiter = None


rule all:
    input:
        TABLES,
        FIGURES,
        PAGE,
    localrule: True


rule tables:
    input:
        TABLES,
    localrule: True


rule figures:
    input:
        FIGURES,
    localrule: True


include: "workflow/rules/corpus.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/other_codec.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/tests.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/bitrate.smk"
include: "workflow/rules/length.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/listening.smk"
