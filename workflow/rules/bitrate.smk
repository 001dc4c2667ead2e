# Operating points: the same checkpoints at other bitrates, and what their codes really cost.

PROBED = [
    f"results/bitrates/{variant}/seed{seed}/{point}"
    for variant, seed, point in STUDY.probed()
]


rule entropy_models:
    input:
        code("evaluation/entropy_fit"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(f"{CORPUS}/train.npy"),
        model=f"{MODEL}/model.safetensors",
    output:
        directory(f"{MODEL}/entropy-models"),
    log:
        "results/logs/entropy_models/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/entropy_models/{variant}/seed{seed}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    params:
        points=lambda wildcards: STUDY.points(wildcards.variant),
        minutes=STUDY.bitrates.fit_minutes,
    shell:
        "python -m taae entropy-models --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --corpus results/corpus --output {output} --points {params.points}"
        " --minutes {params.minutes} --threads {threads} --gpus {resources.gpu} &> {log}"


rule rates:
    input:
        code("evaluation/bitrates"),
        codes=f"{DECODED}/codes.npz",
        table=f"{DECODED}/utterances.csv",
        entropy_models=f"{MODEL}/entropy-models",
    output:
        directory("results/bitrates/{variant}/seed{seed}/{point}/coded"),
        expand(
            "results/bitrates/{{variant}}/seed{{seed}}/{{point}}/{table}.csv",
            table=("rates", "codebook", "histogram"),
        ),
    log:
        "results/logs/rates/{variant}/seed{seed}/{point}.log",
    benchmark:
        "results/benchmarks/rates/{variant}/seed{seed}/{point}.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(600),
    shell:
        "python -m taae rates --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --decoded results/decoded/{wildcards.variant}/seed{wildcards.seed}/{wildcards.point}"
        " --entropy-models {input.entropy_models} --point {wildcards.point}"
        " --output results/bitrates/{wildcards.variant}/seed{wildcards.seed}/{wildcards.point}"
        " &> {log}"


rule precision:
    input:
        code("evaluation/precision"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(f"{CORPUS}/test.npy"),
        model=f"{MODEL}/model.safetensors",
    output:
        "results/bitrates/{variant}/seed{seed}/precision.csv",
    log:
        "results/logs/precision/{variant}/seed{seed}.log",
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    shell:
        "python -m taae precision --corpus results/corpus --threads {threads}"
        " --gpus {resources.gpu}"
        " --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --output {output} &> {log}"


rule bitrate_tables:
    input:
        code("analysis/tables/bitrates"),
        scores=runs(SCORES, points=STUDY.points),
        rates=expand(
            "{probed}/{table}.csv",
            probed=PROBED,
            table=("rates", "codebook", "histogram"),
        ),
        precision=expand(
            "results/bitrates/{run}/precision.csv",
            run=sorted(
                {f"{variant}/seed{seed}" for variant, seed, _ in STUDY.probed()}
            ),
        ),
    output:
        "results/tables/rate-distortion.csv",
        "results/tables/precision.csv",
        report(
            "results/tables/bitrates.csv", "../report/bitrates.rst", category="Tables"
        ),
        "results/tables/codebook.csv",
        "results/tables/histogram.csv",
    log:
        "results/logs/bitrate-tables.log",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
        bitrates=canonical(asdict(STUDY.bitrates)),
    shell:
        "python -m taae bitrate-tables --study results/study.json --scores results/scores"
        " --probes results/bitrates --output results/tables &> {log}"


use rule plot_training as plot_rate_distortion with:
    input:
        code("analysis/figures/rate_distortion"),
        table="results/tables/rate-distortion.csv",
    output:
        report(
            "results/figures/rate-distortion.png",
            "../report/rate-distortion.rst",
            category="Bitrates",
            labels={"figure": "rate and distortion"},
        ),
        "results/figures/rate-distortion.pdf",
    log:
        "results/logs/plot/rate-distortion.log",
    params:
        figure="rate-distortion",


use rule plot_training as plot_codebook with:
    input:
        code("analysis/figures/codebook"),
        table="results/tables/histogram.csv",
    output:
        report(
            "results/figures/codebook.png",
            "../report/codebook.rst",
            category="Bitrates",
            labels={"figure": "codebook"},
        ),
        "results/figures/codebook.pdf",
    log:
        "results/logs/plot/codebook.log",
    params:
        figure="codebook",
