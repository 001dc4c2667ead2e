# The test utterances through each model: encoded once, decoded at each operating point.


rule decode:
    input:
        code("evaluation/decode"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "test"),
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
    output:
        directory(at([NATIVE], f"{DECODED}/audio")),
        at([NATIVE], f"{DECODED}/codes.npz", f"{DECODED}/utterances.csv"),
    log:
        "results/logs/decode/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/decode/{variant}/seed{seed}.tsv"
    wildcard_constraints:
        variant=NATIVE_ALONE,
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES | {"runtime": minutes_at_each_point(3600)},
    params:
        folder=subpath(output[0], ancestor=2),
        points=lambda wildcards: ["--points", *STUDY.points(wildcards.variant)],
        spec=canonical(STUDY.decoding),
    shell:
        'python -m taae decode --study results/study.json --corpus "$(dirname {input.corpus})"'
        " --model $(dirname {input.model})"
        " --output {params.folder} {params.points}"
        " --threads {threads} --gpus {resources.gpu} &> {log}"


use rule decode as decode_points with:
    output:
        directory(at(POINTS, f"{DECODED}/audio")),
        at(POINTS, f"{DECODED}/codes.npz", f"{DECODED}/utterances.csv"),
    wildcard_constraints:
        variant=AT_POINTS,
