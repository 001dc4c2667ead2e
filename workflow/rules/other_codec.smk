# Other codecs in the same tables, and MOSNet's weights.

MOSNET = "results/mosnet/cnn_blstm.h5"


rule other_codec:
    input:
        code("evaluation/other_codecs/run"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(f"{CORPUS}/test.npy"),
    output:
        audio=directory("results/codecs/{codec}/audio"),
        table="results/codecs/{codec}/utterances.csv",
        about="results/codecs/{codec}/codec.json",
    log:
        "results/logs/other_codec/{codec}.log",
    benchmark:
        "results/benchmarks/other_codec/{codec}.tsv"
    conda:
        "../../envs/codecs.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(3600),
    params:
        spec=lambda wildcards: canonical(asdict(STUDY.codecs[wildcards.codec])),
        installed=installed,
    shell:
        "python -m taae other-codec --study results/study.json --codec {wildcards.codec}"
        " --corpus results/corpus --output results/codecs/{wildcards.codec}"
        " --threads {threads} &> {log}"


rule score_other_codec:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        manifest=f"{CORPUS}/test.csv",
        reference="results/reference/audio",
        about="results/codecs/{codec}/codec.json",
        decoded="results/codecs/{codec}/utterances.csv",
        audio=ancient("results/codecs/{codec}/audio"),
    output:
        "results/scores/codecs/{codec}.csv",
    log:
        "results/logs/score/codecs/{codec}.log",
    benchmark:
        "results/benchmarks/score/codecs/{codec}.tsv"
    conda:
        "../../envs/score.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(3600),
    params:
        names=STUDY.metrics.names,
        max_failed=STUDY.metrics.max_failed,
        max_seconds=STUDY.metrics.max_seconds,
        mosnet=f"--mosnet-weights {MOSNET}" if "mosnet" in STUDY.metrics.names else "",
        cache="results/state/scores/codecs-{codec}.json",
    shell:
        "python -m taae score --reference {input.reference} --decoded {input.audio}"
        " --codec-json {input.about} --output {output} --manifest {input.manifest}"
        " --metrics {params.names} --max-failed {params.max_failed}"
        " --max-seconds {params.max_seconds} --run {wildcards.codec}"
        " --variant {wildcards.codec} --seed 0 --split test {params.mosnet}"
        " --cache {params.cache} --jobs {threads} &> {log}"


rule mosnet:
    output:
        MOSNET,
    log:
        "results/logs/mosnet.log",
    localrule: True
    conda:
        "../../envs/score.yaml"
    params:
        weights=STUDY.metrics.mosnet.weights,
    shell:
        "python -m taae mosnet --weights {params.weights:q} --output {output} &> {log}"
