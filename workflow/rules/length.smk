# Length generalisation: the test speech in pieces of other lengths than the models were trained on.


rule lengths:
    input:
        code("evaluation/lengths"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "test"),
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
    output:
        "results/lengths/{variant}/seed{seed}.csv",
    log:
        "results/logs/lengths/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/lengths/{variant}/seed{seed}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    params:
        spec=lambda wildcards: canonical(
            {
                "seconds": STUDY.lengths.seconds,
                "home": STUDY.home_length(wildcards.variant),
                "metrics": STUDY.lengths.metrics,
                "max_seconds": STUDY.metrics.max_seconds,
                "decoding": asdict(STUDY.decoding),
                **({"speaker": SPEAKER_WEIGHTS} if SPEAKER_WEIGHTS else {}),
            }
        ),
    shell:
        "python -m taae lengths --study results/study.json --variant {wildcards.variant}"
        " --seed {wildcards.seed} --corpus $(dirname {input.corpus})"
        " --model $(dirname {input.model})"
        " --output {output} --threads {threads} --gpus {resources.gpu} &> {log}"
