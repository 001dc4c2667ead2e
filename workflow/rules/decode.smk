# The test utterances through each model.


rule decode:
    input:
        code("evaluation/decode"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(f"{CORPUS}/test.npy"),
        model=f"{MODEL}/model.safetensors",
    output:
        audio=directory(f"{DECODED}/audio"),
        codes=f"{DECODED}/codes.npz",
        table=f"{DECODED}/utterances.csv",
    log:
        "results/logs/decode/{variant}/seed{seed}/{point}.log",
    benchmark:
        "results/benchmarks/decode/{variant}/seed{seed}/{point}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **MODEL_RESOURCES,
    params:
        spec=canonical(STUDY.decoding),
    shell:
        "python -m taae decode --study results/study.json --corpus results/corpus"
        " --model results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --output results/decoded/{wildcards.variant}/seed{wildcards.seed}/{wildcards.point}"
        " --point {wildcards.point} --threads {threads} --gpus {resources.gpu} &> {log}"
