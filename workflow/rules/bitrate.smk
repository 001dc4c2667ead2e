# Operating points: the same checkpoints at other bitrates, and what their codes really cost.


rule entropy_models:
    input:
        code("evaluation/decode"),
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
        "../../envs/torch.yaml"
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
        codes=at(POINTS, f"{DECODED}/codes.npz"),
        table=at(POINTS, f"{DECODED}/utterances.csv"),
        entropy_models=f"{MODEL}/entropy-models",
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
        points=POINTS,
    shell:
        "python -m taae rates --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --decoded results/decoded/{wildcards.variant}/seed{wildcards.seed}"
        " --entropy-models {input.entropy_models} --points {params.points}"
        " --output results/bitrates/{wildcards.variant}/seed{wildcards.seed} &> {log}"


rule precision:
    input:
        code("evaluation/decode"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(f"{CORPUS}/test.npy"),
        model=f"{MODEL}/model.safetensors",
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
        "python -m taae precision --corpus results/corpus --threads {threads}"
        " --gpus {resources.gpu}"
        " --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --output {output} &> {log}"
