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
        code(
            "analysis/tables",
            "analysis/statistics",
            "analysis/publish",
            "metrics",
            "coverage",
            "scoring/status",
        ),
        study=ancient("results/study.json"),
        scores=runs(SCORES),
    output:
        "results/tables/scores.csv",
        "results/tables/coverage.csv",
        "results/tables/failures.csv",
        "results/tables/summary.csv",
        "results/tables/summary.tex",
        report("results/tables/summary.md", "../report/summary.rst", category="Tables"),
    log:
        "results/logs/summarise.log",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae summarise --study {input.study} --scores {input.scores}"
        " --output results/tables &> {log}"


rule compare:
    input:
        code(
            "analysis/tables",
            "analysis/statistics",
            "metrics",
            "coverage",
            "scoring/status",
        ),
        study=ancient("results/study.json"),
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
        "python -m taae compare --study {input.study} --scores {input.scores}"
        " --output {output} &> {log}"


rule plot_ablation:
    input:
        code("analysis/figures", "analysis/plot", "analysis/style", "metrics"),
        study=ancient("results/study.json"),
        summary="results/tables/summary.csv",
        comparisons="results/tables/comparisons.csv",
    output:
        report(
            "results/figures/{ablation}/{figure}.png",
            "../report/{figure}.rst",
            category="Ablations",
            subcategory="{ablation}",
            labels={"figure": "{figure}"},
        ),
        "results/figures/{ablation}/{figure}.pdf",
    log:
        "results/logs/plot/{ablation}-{figure}.log",
    wildcard_constraints:
        figure="metrics|forest",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae plot {wildcards.figure} --ablation {wildcards.ablation}"
        " --study {input.study} --tables results/tables"
        " --output results/figures/{wildcards.ablation}/{wildcards.figure} &> {log}"


rule plot:
    input:
        code(
            "analysis/figures",
            "analysis/plot",
            "analysis/style",
            "analysis/spectrograms",
        ),
        study=ancient("results/study.json"),
        table=lambda wildcards: {
            "training": "results/tables/training.csv",
            "spectrograms": "results/tables/spectra.npz",
            "coverage": "results/tables/coverage.csv",
        }[wildcards.figure],
    output:
        report(
            "results/figures/{figure}.png",
            "../report/{figure}.rst",
            category="Study",
            labels={"figure": "{figure}"},
        ),
        "results/figures/{figure}.pdf",
    log:
        "results/logs/plot/{figure}.log",
    wildcard_constraints:
        figure="training|spectrograms|coverage",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae plot {wildcards.figure} --study {input.study} --tables results/tables"
        " --output results/figures/{wildcards.figure} &> {log}"
