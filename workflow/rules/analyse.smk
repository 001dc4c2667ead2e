# Analysis: tables from scores, figures from tables alone.

ANALYSED = canonical(
    {
        "variants": {name: asdict(variant) for name, variant in STUDY.variants.items()},
        "ablations": {
            name: asdict(ablation) for name, ablation in STUDY.ablations.items()
        },
        "labels": STUDY.labels,
        "statistics": asdict(STUDY.statistics),
        "metrics": STUDY.metrics.names,
        "order": [*STUDY.variants, *STUDY.ablations],
    }
)


PROBED = [
    f"results/bitrates/{variant}/seed{seed}/{point}"
    for variant, seed, point in STUDY.probed()
]


# For each name of `taae table`: the module that makes it, the files it reads, the tables it
# writes, and what of the study reruns it.
MADE = {
    "scores": (
        "scores",
        code("analysis/tables/publish")
        + code("evaluation/decoded_files")
        + runs(SCORES)
        + expand("results/scores/codecs/{codec}.csv", codec=STUDY.codecs)
        + [*where(STUDY.listening.tests, RATINGS)]
        + expand("results/codecs/{codec}/codec.json", codec=STUDY.codecs),
        [
            "results/tables/scores.csv",
            "results/tables/coverage.csv",
            "results/tables/summary.csv",
            "results/tables/summary.tex",
            table("summary.md", "summary"),
            table("failures.csv", "failures"),
            *([table("codecs.csv", "codecs")] if STUDY.codecs else []),
        ],
        ANALYSED,
    ),
    "comparisons": (
        "differences",
        ["results/tables/scores.csv"]
        + [path for path in runs(SCORES, points=STUDY.points) if NATIVE not in path],
        [
            table("comparisons.csv", "comparisons"),
            table("noise.csv", "noise"),
            table("factorial.csv", "factorial"),
            *([table("points.csv", "points")] if STUDY.probed() else []),
        ],
        [ANALYSED, canonical(asdict(STUDY.bitrates))],
    ),
    "tests": (
        "tests",
        ["results/tables/summary.csv", "results/tables/comparisons.csv"]
        + [
            path
            for test in STUDY.tests
            for path in runs(TEST_SCORES.replace("{test}", test))
            + expand(
                f"{TEST}/scores/codecs/{{codec}}.csv",
                test=test,
                codec=STUDY.codecs,
            )
        ],
        [
            table("tests.csv", "summary"),
            table("tests-comparisons.csv", "tests-comparisons"),
        ],
        [ANALYSED, *STUDY.tests],
    ),
    "findings": (
        "differences",
        code("analysis/findings/table")
        + ["results/tables/comparisons.csv", "results/tables/factorial.csv"]
        + expand(
            "results/tables/{name}.csv",
            name=[
                *where(STUDY.probed(), "points", "bd-rate"),
                *where(STUDY.tests, "tests-comparisons"),
                *where(STUDY.robustness_arms, "robustness-comparisons"),
            ],
        ),
        [table("findings.csv", "findings"), table("findings.md", "findings")],
        [ANALYSED, *STUDY.tests],
    ),
    "bitrates": (
        "bitrates",
        runs(SCORES, points=STUDY.points)
        + expand(
            "{probed}/{table}.csv",
            probed=PROBED,
            table=("rates", "codebook", "histogram"),
        )
        + sorted({f"{Path(probed).parent}/precision.csv" for probed in PROBED}),
        [
            *expand(
                "results/tables/{name}.csv",
                name=("rate-distortion", "precision", "codebook", "histogram"),
            ),
            table("bitrates.csv", "bitrates"),
            table("bd-rate.csv", "bd-rate"),
        ],
        [ANALYSED, canonical(asdict(STUDY.bitrates))],
    ),
    "lengths": (
        "lengths",
        runs("results/lengths/{variant}/seed{seed}.csv", STUDY.length_arms),
        [
            "results/tables/lengths.csv",
            table("lengths-comparisons.csv", "lengths-comparisons"),
        ],
        [ANALYSED, canonical(asdict(STUDY.lengths))],
    ),
    "robustness": (
        "robustness",
        runs(ROBUSTNESS, STUDY.robustness_arms) + runs(SILENCE, SILENT_ARMS),
        [
            "results/tables/robustness.csv",
            table("robustness-comparisons.csv", "robustness-comparisons"),
            *where(SILENT_ARMS, "results/tables/robustness-silence.csv"),
        ],
        [ANALYSED, canonical(asdict(STUDY.robustness))],
    ),
    "cost": (
        "runs",
        "results/cost/costs.json",
        table("cost.csv", "cost"),
        ANALYSED,
    ),
    "provenance": (
        "runs",
        runs(f"{MODEL}/provenance.json"),
        table("provenance.csv", "provenance"),
        [*STUDY.variants, *STUDY.seeds],
    ),
    "training": (
        "runs",
        runs(f"{MODEL}/history.csv", STUDY.trained),
        "results/tables/training.csv",
        [*STUDY.trained, *STUDY.seeds],
    ),
    "spectra": (
        "spectra",
        [
            "results/reference/audio",
            *expand(
                f"{DECODED}/audio",
                variant=STUDY.variants,
                seed=STUDY.seeds[0],
                point=NATIVE,
            ),
        ],
        "results/tables/spectra.npz",
        [*STUDY.variants, STUDY.seeds[0]],
    ),
}

for made, (module, needed, tables, spec) in MADE.items():

    rule:
        name:
            f"{made}_table"
        input:
            code(f"analysis/tables/{module}"),
            needed,
        output:
            tables,
        log:
            f"results/logs/tables/{made}.log",
        localrule: True
        conda:
            "../../envs/figures.yaml"
        params:
            results=subpath(output[0], ancestor=2),
            table=made,  # `made` itself is the last one by the time that a job runs
            spec=spec,
        shell:
            "python -m taae table {params.table} --study results/study.json"
            " --results {params.results} &> {log}"


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
        results=subpath(input[-1], ancestor=2),
        spec=ANALYSED,
    shell:
        "python -m taae plot --study results/study.json --results {params.results} &> {log}"
