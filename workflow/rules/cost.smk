# What the arms of the ablations of attention or model cost: latency, reach, time, memory.


rule cost:
    # One job, in which the arms take turns: measured at another time each, they would differ by
    # what else the machine did.
    input:
        code("evaluation/cost"),
        models=expand(
            f"{MODEL}/model.safetensors",
            variant=STUDY.cost_arms,
            seed=STUDY.seeds[0],
        ),
        configs=expand(
            f"{MODEL}/config.json", variant=STUDY.cost_arms, seed=STUDY.seeds[0]
        ),
    output:
        "results/cost/costs.json",
    log:
        "results/logs/cost.log",
    conda:
        "../../envs/torch.yaml"
    # All of them: alone on the machine, for the latencies by the clock. Not `workflow.cores`,
    # which stops --report and --lint where no --cores is given.
    threads: workflow.resource_settings.cores or 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * all_weights_mb(STUDY.cost_arms),
        runtime=minutes(600),
    params:
        models=lambda wildcards, input: [
            str(Path(path).parent) for path in input.models
        ],
    shell:
        "python -m taae cost --models {params.models} --threads 1"
        " --output {output} &> {log}"
