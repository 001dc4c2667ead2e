# Scoring: decoded audio against its reference, one row per utterance and metric.

MOSNET = "results/mosnet/cnn_blstm.h5"  # its published weights, checked
SCORING = (
    f"--max-failed {STUDY.metrics.max_failed} --max-seconds {STUDY.metrics.max_seconds}"
    " --split test"
)
if "mosnet" in STUDY.metrics.names:
    SCORING += f" --mosnet-weights {MOSNET}"


rule score:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        manifest=f"{CORPUS}/test.csv",
        reference="results/reference/audio",
        # The table holds a hash of every decoded utterance: scoring again depends on it alone.
        decoded=f"{DECODED}/utterances.csv",
        audio=ancient(f"{DECODED}/audio"),
    output:
        SCORES,
    log:
        "results/logs/score/{variant}/seed{seed}/{point}.log",
    benchmark:
        "results/benchmarks/score/{variant}/seed{seed}/{point}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(3600),
    params:
        names=lambda wildcards: (
            STUDY.computed if wildcards.point == NATIVE else STUDY.bitrates.metrics
        ),
        options=SCORING,
        labels=lambda wildcards: (
            f"--run {wildcards.variant}/seed{wildcards.seed} --variant {wildcards.variant}"
            f" --seed {wildcards.seed}"
            f" --bitrate {variant_of(wildcards).bitrate(wildcards.point)}"
        ),
        # Undeclared: values by content, so that another metric computes that metric alone.
        cache="results/state/scores/{variant}-seed{seed}-{point}.json",
    shell:
        "python -m taae score --reference {input.reference} --decoded {input.audio}"
        " --output {output} --manifest {input.manifest} --metrics {params.names}"
        " {params.options} {params.labels} --cache {params.cache} --jobs {threads} &> {log}"


use rule score as score_other_codec with:
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
    params:
        names=STUDY.computed,
        options=SCORING,
        labels="--run {codec} --variant {codec} --seed 0"
        " --codec-json results/codecs/{codec}/codec.json",
        cache="results/state/scores/codecs-{codec}.json",


rule mosnet:
    output:
        MOSNET,
    log:
        "results/logs/mosnet.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        weights=STUDY.metrics.mosnet.weights,
    shell:
        "python -m taae mosnet --weights {params.weights:q} --output {output} &> {log}"
