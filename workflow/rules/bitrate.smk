# Operating points: the same checkpoints at other bitrates, and what their codes really cost.


rule entropy_models:
    input:
        code("evaluation/decode"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "train"),
        shards=ancient(shard_folders),
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
    output:
        directory(f"{MODEL}/entropy-models"),
    log:
        "results/logs/entropy_models/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/entropy_models/{variant}/seed{seed}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    params:
        points=lambda wildcards: STUDY.points(wildcards.variant),
        minutes=STUDY.bitrates.fit_minutes,
    shell:
        "python -m taae entropy-models --model $(dirname {input.model})"
        " --corpus $(dirname {input.corpus}) --output {output} --points {params.points}"
        " --minutes {params.minutes} --threads {threads} --gpus {resources.gpu} &> {log}"


rule rates:
    input:
        code("evaluation/bitrates"),
        entropy_models=f"{MODEL}/entropy-models",
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
        codes=at(POINTS, f"{DECODED}/codes.npz"),
        table=at(POINTS, f"{DECODED}/utterances.csv"),
    output:
        directory(at(POINTS, f"{BITRATES}/coded")),
        at(
            POINTS,
            *(f"{BITRATES}/{name}.csv" for name in ("rates", "codebook", "histogram")),
        ),
    log:
        "results/logs/rates/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/rates/{variant}/seed{seed}.tsv"
    wildcard_constraints:
        variant=AT_POINTS,
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes_at_each_point(600),
    params:
        decoded=subpath(input[-1], ancestor=2),
        bitrates=subpath(output[0], ancestor=2),
        points=POINTS,
    shell:
        "python -m taae rates --model $(dirname {input.model}) --decoded {params.decoded}"
        " --entropy-models {input.entropy_models} --points {params.points}"
        " --output {params.bitrates} &> {log}"


rule precision:
    input:
        code("evaluation/decode"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "test"),
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
    output:
        "results/bitrates/{variant}/seed{seed}/precision.csv",
    log:
        "results/logs/precision/{variant}/seed{seed}.log",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    shell:
        "python -m taae precision --corpus $(dirname {input.corpus}) --threads {threads}"
        " --gpus {resources.gpu} --model $(dirname {input.model})"
        " --output {output} &> {log}"
