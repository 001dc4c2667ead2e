# Length generalisation: the test speech at other lengths than the models were trained on.


rule lengths:
    input:
        code("evaluation/lengths"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(f"{CORPUS}/test.npy"),
        model=f"{MODEL}/model.safetensors",
    output:
        "results/lengths/{variant}/seed{seed}.csv",
    log:
        "results/logs/lengths/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/lengths/{variant}/seed{seed}.tsv"
    conda:
        "../../envs/probe.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    params:
        spec=canonical(
            {
                "seconds": STUDY.lengths.seconds,
                "metrics": STUDY.lengths.metrics,
                "max_seconds": STUDY.metrics.max_seconds,
                "decoding": asdict(STUDY.decoding),
            }
        ),
    shell:
        "python -m taae lengths --study results/study.json --variant {wildcards.variant}"
        " --seed {wildcards.seed} --corpus results/corpus"
        " --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --output {output} --threads {threads} --gpus {resources.gpu} &> {log}"


rule length_table:
    input:
        code("analysis/tables/lengths"),
        scores=runs("results/lengths/{variant}/seed{seed}.csv", STUDY.length_arms),
    output:
        "results/tables/lengths.csv",
    log:
        "results/logs/length-table.log",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae length-table --study results/study.json --scores {input.scores}"
        " --output {output} &> {log}"


use rule plot_training as plot_lengths with:
    input:
        code("analysis/figures/lengths"),
        table="results/tables/lengths.csv",
    output:
        report(
            "results/figures/lengths.png",
            "../report/lengths.rst",
            category="Ablations",
            labels={
                "ablation": STUDY.lengths.ablation,
                "figure": "length generalisation",
            },
        ),
        "results/figures/lengths.pdf",
    log:
        "results/logs/plot/lengths.log",
    params:
        figure="lengths",
