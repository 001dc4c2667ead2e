# Which part of the TAAE speech codec matters? corpus -> models -> decoded -> scores -> tables
# -> figures, each a folder of results/. The rules say what depends on what; the package
# workflow/taae/ does the work.

from snakemake.utils import min_version

min_version("9.0")


# By its place, so that `--directory` may keep another study's results.
configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"


report: "workflow/report/workflow.rst"


wildcard_constraints:
    variant="|".join(STUDY.variants),
    seed=r"\d+",
    point=r"[0-9a-z@+.]+",
    codec="|".join(STUDY.codecs) or "none",
    ablation="|".join(STUDY.ablations) or "none",
    subset="|".join(STUDY.download.subsets) or "none",


# On a cluster these run where Snakemake does. Tables and figures take about two seconds of one CPU
# each, less than Snakemake itself needs to start as a job; downloads need the network.
localrules:
    all,
    tables,
    figures,
    bitrate_tables,
    compare,
    cost_table,
    download,
    histories,
    length_table,
    mosnet,
    plot_codebook,
    plot_cost,
    plot_coverage,
    plot_distributions,
    plot_forest,
    plot_lengths,
    plot_metrics,
    plot_rate_distortion,
    plot_scatter,
    plot_spectrograms,
    plot_training,
    provenance,
    spectra,
    summarise,


onstart:
    # What the jobs read. It is no rule's output: each rule reruns for its own part of the study,
    # which it has among its params.
    write_text(to_json(config), Path("results/study.json"))
    # Snakemake's limit of 100 jobs a second is never met here, but has 9.27.1 look over all ready
    # jobs once a second for each job that has ended: a fifth of a core late in the demo.
    workflow.scheduler.job_rate_limiter = None


rule all:
    input:
        TABLES,
        FIGURES,


rule tables:
    input:
        TABLES,


rule figures:
    input:
        FIGURES,


include: "workflow/rules/corpus.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/other_codec.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/bitrate.smk"
include: "workflow/rules/length.smk"
include: "workflow/rules/cost.smk"
