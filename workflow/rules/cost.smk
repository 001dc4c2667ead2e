# What each arm of the ablations of attention or model costs: latency, reach, time, memory.


rule cost:
    input:
        code("evaluation/cost"),
        model=f"results/models/{{variant}}/seed{STUDY.seeds[0]}/model.safetensors",
    output:
        "results/cost/{variant}.json",
    log:
        "results/logs/cost/{variant}.log",
    conda:
        "../../envs/train.yaml"
    # All of them: alone on the machine, or the times would be of what runs beside. Not
    # `workflow.cores`, which stops --report and --lint where no --cores is given.
    threads: workflow.resource_settings.cores or 1
    resources:
        mem_mb=MODEL_RESOURCES["mem_mb"],
        runtime=minutes(600),
    params:
        model=subpath(input.model, parent=True),
    shell:
        "python -m taae cost --model {params.model} --threads 1"
        " --output {output} &> {log}"


rule cost_table:
    input:
        code("analysis/tables/cost"),
        costs=expand("results/cost/{variant}.json", variant=STUDY.cost_arms),
    output:
        report("results/tables/cost.csv", "../report/cost.rst", category="Tables"),
    log:
        "results/logs/cost-table.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        spec=ANALYSED,
    shell:
        "python -m taae cost-table --study results/study.json --costs results/cost"
        " --output {output} &> {log}"


use rule plot_training as plot_cost with:
    input:
        code("analysis/figures/cost"),
        table="results/tables/cost.csv",
    output:
        report(
            "results/figures/cost.png",
            "../report/cost.rst",
            category="Study",
            labels={"figure": "cost"},
        ),
        "results/figures/cost.pdf",
    log:
        "results/logs/plot/cost.log",
    localrule: True
    params:
        figure="cost",
