# What each arm of the attention ablations costs: latency, reach, time, memory.


rule cost:
    input:
        code(
            "attention",
            "codec",
            "conv",
            "links",
            "latency",
            "streaming",
            "pcm",
            "probes/cost",
        ),
        model=f"results/models/{{variant}}/seed{STUDY.seeds[0]}/model.safetensors",
    output:
        "results/cost/{variant}.json",
    log:
        "results/logs/cost/{variant}.log",
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=minutes(600),
    params:
        model=subpath(input.model, parent=True),
    shell:
        "python -m taae cost --model {params.model} --threads {threads}"
        " --output {output} &> {log}"


rule cost_table:
    input:
        code("analysis/cost"),
        costs=expand("results/cost/{variant}.json", variant=STUDY.cost_arms),
    output:
        report("results/tables/cost.csv", "../report/cost.rst", category="Tables"),
    log:
        "results/logs/cost-table.log",
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae cost-table --study results/study.json --costs results/cost"
        " --output {output} &> {log}"


use rule plot_training as plot_cost with:
    input:
        code("analysis/cost", "analysis/plot", "analysis/style"),
        table="results/tables/cost.csv",
    output:
        report(
            "results/figures/cost.png",
            "../report/cost.rst",
            category="Window",
            labels={"figure": "cost"},
        ),
        "results/figures/cost.pdf",
    log:
        "results/logs/plot/cost.log",
    params:
        figure="cost",
