# Analysis: tables from scores, figures from tables alone.

ANALYSED = canonical(
    {
        "variants": {name: asdict(variant) for name, variant in STUDY.variants.items()},
        "ablations": {
            name: asdict(ablation) for name, ablation in STUDY.ablations.items()
        },
        "statistics": asdict(STUDY.statistics),
        "metrics": STUDY.metrics.names,
    }
)


PROBED = [
    f"results/bitrates/{variant}/seed{seed}/{point}"
    for variant, seed, point in STUDY.probed()
]


# As summarise, whose `localrule` they do not inherit.
localrules:
    bitrate_tables,
    compare,
    cost_table,
    histories,
    length_table,
    provenance,
    spectra,


rule summarise:
    input:
        code("analysis/tables/scores"),
        code("analysis/tables/publish"),
        code("evaluation/other_codecs/description"),
        expand("results/codecs/{codec}/codec.json", codec=STUDY.codecs),
        scores=runs(SCORES)
        + expand("results/scores/codecs/{codec}.csv", codec=STUDY.codecs),
    output:
        "results/tables/scores.csv",
        "results/tables/coverage.csv",
        "results/tables/summary.csv",
        "results/tables/summary.tex",
        table("summary.md", "summary"),
        table("failures.csv", "failures"),
        *([table("codecs.csv", "codecs")] if STUDY.codecs else []),
    log:
        "results/logs/summarise.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        table=lambda wildcards, input: f"scores --scores {input.scores}",
        spec=ANALYSED,
    shell:
        "python -m taae table {params.table} --study results/study.json &> {log}"


# The rules that follow take over the parameters that they do not set: each needs its own `spec`.
use rule summarise as compare with:
    input:
        code("analysis/tables/scores"),
        "results/tables/scores.csv",
    output:
        table("comparisons.csv", "comparisons"),
    log:
        "results/logs/compare.log",
    params:
        table="comparisons",
        spec=ANALYSED,


use rule summarise as bitrate_tables with:
    input:
        code("analysis/tables/bitrates"),
        runs(SCORES, points=STUDY.points),
        expand(
            "{probed}/{table}.csv",
            probed=PROBED,
            table=("rates", "codebook", "histogram"),
        ),
        sorted({f"{Path(probed).parent}/precision.csv" for probed in PROBED}),
    output:
        "results/tables/rate-distortion.csv",
        "results/tables/precision.csv",
        "results/tables/codebook.csv",
        "results/tables/histogram.csv",
        table("bitrates.csv", "bitrates"),
    log:
        "results/logs/bitrate-tables.log",
    params:
        table="bitrates",
        spec=ANALYSED,
        bitrates=canonical(asdict(STUDY.bitrates)),


use rule summarise as length_table with:
    input:
        code("analysis/tables/lengths"),
        runs("results/lengths/{variant}/seed{seed}.csv", STUDY.length_arms),
    output:
        "results/tables/lengths.csv",
    log:
        "results/logs/length-table.log",
    params:
        table="lengths",
        spec=ANALYSED,


use rule summarise as cost_table with:
    input:
        code("analysis/tables/runs"),
        expand("results/cost/{variant}.json", variant=STUDY.cost_arms),
    output:
        table("cost.csv", "cost"),
    log:
        "results/logs/cost-table.log",
    params:
        table="cost",
        spec=ANALYSED,


use rule summarise as provenance with:
    input:
        code("analysis/tables/runs"),
        runs(f"{MODEL}/provenance.json"),
    output:
        table("provenance.csv", "provenance"),
    log:
        "results/logs/provenance.log",
    params:
        table="provenance",
        spec=[*STUDY.variants, *STUDY.seeds],


use rule summarise as histories with:
    input:
        code("analysis/tables/runs"),
        runs(f"{MODEL}/history.csv", STUDY.trained),
    output:
        "results/tables/training.csv",
    log:
        "results/logs/histories.log",
    params:
        table="training",
        spec=[*STUDY.trained, *STUDY.seeds],


use rule summarise as spectra with:
    input:
        code("analysis/tables/spectra"),
        "results/reference/audio",
        expand(
            f"{DECODED}/audio",
            variant=STUDY.variants,
            seed=STUDY.seeds[0],
            point=NATIVE,
        ),
    output:
        "results/tables/spectra.npz",
    log:
        "results/logs/spectra.log",
    params:
        table="spectra",
        spec=[*STUDY.variants, STUDY.seeds[0]],


# All of them by one process: to start Python takes longer than to draw a figure.
rule plot:
    input:
        code("analysis/figures/draw"),
        sorted({f"results/tables/{name}" for figure in SHOWN for name in figure.tables}),
    output:
        [reported(figure) for figure in SHOWN],
        expand("results/figures/{figure.name}.pdf", figure=SHOWN),
    log:
        "results/logs/plot.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae plot --study results/study.json &> {log}"
