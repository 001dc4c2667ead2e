# Scoring: decoded audio against its reference, one row per utterance and metric.


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
        "../../envs/score.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(3600),
    params:
        names=lambda wildcards: (
            STUDY.metrics.names
            if wildcards.point == NATIVE
            else STUDY.bitrates.metrics
        ),
        max_failed=STUDY.metrics.max_failed,
        max_seconds=STUDY.metrics.max_seconds,
        mosnet=f"--mosnet-weights {MOSNET}" if "mosnet" in STUDY.metrics.names else "",
        # Undeclared: values by content, so that another metric computes that metric alone.
        cache="results/state/scores/{variant}-seed{seed}-{point}.json",
        bitrate=lambda wildcards: (
            STUDY.variants[wildcards.variant].bitrate_at(wildcards.point)
        ),
    shell:
        "python -m taae score --reference {input.reference} --decoded {input.audio}"
        " --output {output} --manifest {input.manifest} --metrics {params.names}"
        " --max-failed {params.max_failed} --max-seconds {params.max_seconds}"
        " --run {wildcards.variant}/seed{wildcards.seed} --variant {wildcards.variant}"
        " --seed {wildcards.seed} --bitrate {params.bitrate} --split test"
        " {params.mosnet} --cache {params.cache} --jobs {threads} &> {log}"
