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


rule summarise:
    input:
        code("analysis/tables/scores"),
        code("analysis/tables/publish"),
        code("evaluation/other_codecs/description"),
        scores=runs(SCORES)
        + expand("results/scores/codecs/{codec}.csv", codec=STUDY.codecs),
        codecs=expand("results/codecs/{codec}/codec.json", codec=STUDY.codecs),
    output:
        "results/tables/scores.csv",
        "results/tables/coverage.csv",
        report(
            "results/tables/failures.csv", "../report/failures.rst", category="Tables"
        ),
        "results/tables/summary.csv",
        *(
            [
                report(
                    "results/tables/codecs.csv",
                    "../report/codecs.rst",
                    category="Tables",
                )
            ]
            if STUDY.codecs
            else []
        ),
        "results/tables/summary.tex",
        report("results/tables/summary.md", "../report/summary.rst", category="Tables"),
    log:
        "results/logs/summarise.log",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
        codecs=lambda wildcards, input: (
            f"--codecs {input.codecs}" if input.codecs else ""
        ),
    shell:
        "python -m taae summarise --study results/study.json --scores {input.scores}"
        " {params.codecs} --output results/tables &> {log}"


rule compare:
    input:
        code("analysis/tables/scores"),
        scores="results/tables/scores.csv",
    output:
        report(
            "results/tables/comparisons.csv",
            "../report/comparisons.rst",
            category="Tables",
        ),
    log:
        "results/logs/compare.log",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae compare --study results/study.json --scores {input.scores}"
        " --output {output} &> {log}"


rule plot_metrics:
    input:
        code("analysis/figures/ablations"),
        tables=["results/tables/summary.csv", "results/tables/comparisons.csv"],
    output:
        report(
            "results/figures/{ablation}/metrics.png",
            "../report/metrics.rst",
            category="Ablations",
            labels={"ablation": "{ablation}", "figure": "metrics"},
        ),
        "results/figures/{ablation}/metrics.pdf",
    log:
        "results/logs/plot/{ablation}-metrics.log",
    conda:
        "../../envs/figures.yaml"
    params:
        figure="metrics",
        spec=ANALYSED,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    shell:
        "python -m taae plot {params.figure} --ablation {wildcards.ablation}"
        " --study results/study.json --tables results/tables --output {params.stem} &> {log}"


use rule plot_metrics as plot_forest with:
    input:
        code("analysis/figures/ablations"),
        tables="results/tables/comparisons.csv",
    output:
        report(
            "results/figures/{ablation}/forest.png",
            "../report/forest.rst",
            category="Ablations",
            labels={"ablation": "{ablation}", "figure": "differences"},
        ),
        "results/figures/{ablation}/forest.pdf",
    log:
        "results/logs/plot/{ablation}-forest.log",
    params:
        figure="forest",
        spec=ANALYSED,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),


use rule plot_metrics as plot_scatter with:
    input:
        code("analysis/figures/utterances"),
        tables="results/tables/scores.csv",
    output:
        report(
            "results/figures/{ablation}/scatter.png",
            "../report/scatter.rst",
            category="Ablations",
            labels={"ablation": "{ablation}", "figure": "utterances"},
        ),
        "results/figures/{ablation}/scatter.pdf",
    log:
        "results/logs/plot/{ablation}-scatter.log",
    params:
        figure="scatter",
        spec=ANALYSED,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),


rule plot_training:
    input:
        code("analysis/figures/ablations"),
        table="results/tables/training.csv",
    output:
        report(
            "results/figures/training.png",
            "../report/training.rst",
            category="Study",
            labels={"figure": "training"},
        ),
        "results/figures/training.pdf",
    log:
        "results/logs/plot/training.log",
    conda:
        "../../envs/figures.yaml"
    params:
        figure="training",
    shell:
        "python -m taae plot {params.figure} --study results/study.json --tables results/tables"
        " --output results/figures/{params.figure} &> {log}"


use rule plot_training as plot_spectrograms with:
    input:
        code("analysis/figures/spectrograms"),
        table="results/tables/spectra.npz",
    output:
        report(
            "results/figures/spectrograms.png",
            "../report/spectrograms.rst",
            category="Study",
            labels={"figure": "spectrograms"},
        ),
        "results/figures/spectrograms.pdf",
    log:
        "results/logs/plot/spectrograms.log",
    params:
        figure="spectrograms",


use rule plot_training as plot_coverage with:
    input:
        code("analysis/figures/ablations"),
        table="results/tables/coverage.csv",
    output:
        report(
            "results/figures/coverage.png",
            "../report/coverage.rst",
            category="Study",
            labels={"figure": "coverage"},
        ),
        "results/figures/coverage.pdf",
    log:
        "results/logs/plot/coverage.log",
    params:
        figure="coverage",


use rule plot_training as plot_distributions with:
    input:
        code("analysis/figures/utterances"),
        table="results/tables/scores.csv",
    output:
        report(
            "results/figures/distributions.png",
            "../report/distributions.rst",
            category="Study",
            labels={"figure": "distributions"},
        ),
        "results/figures/distributions.pdf",
    log:
        "results/logs/plot/distributions.log",
    params:
        figure="distributions",
