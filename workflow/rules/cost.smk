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
        "../../envs/torch.yaml"
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
