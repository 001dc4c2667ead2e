# Hard conditions: wrong codes, lost frames, the codec's own output, altered input, silence.


rule robustness:
    input:
        code("evaluation/robustness/run"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "test"),
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
    output:
        where(STUDY.robustness.silence, SILENCE),
        scores=ROBUSTNESS,
    log:
        "results/logs/robustness/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/robustness/{variant}/seed{seed}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    params:
        spec=canonical(
            {
                "conditions": asdict(STUDY.robustness) | {"ablations": None},
                "max_seconds": STUDY.metrics.max_seconds,
                "decoding": asdict(STUDY.decoding),
                **({"speaker": SPEAKER_WEIGHTS} if SPEAKER_WEIGHTS else {}),
            }
        ),
    shell:
        "python -m taae robustness --study results/study.json --variant {wildcards.variant}"
        " --seed {wildcards.seed} --corpus $(dirname {input.corpus})"
        " --model $(dirname {input.model})"
        " --output {output.scores} --threads {threads} --gpus {resources.gpu} &> {log}"
