# Scoring: decoded audio against its reference, one row per utterance and metric.

MOSNET = "results/mosnet/cnn_blstm.h5"  # its published weights, checked
MOSNET_WEIGHTS = (
    f"--mosnet-weights {local_copy(MOSNET)}" if "mosnet" in STUDY.metrics.names else ""
)
SPEAKER_WEIGHTS = STUDY.metrics.speaker.options  # none where none are set
HEARD = "results/reference/heard.csv"  # what a recogniser hears in the references
HEARD_TABLE = f"--heard {local_copy(HEARD)}" if RECOGNISED else ""


rule score:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        branch(RECOGNISED, then=HEARD),
        manifest=f"{CORPUS}/test.csv",
        reference="results/reference/audio",
        # The table holds a hash of every decoded utterance: scoring again depends on it alone.
        decoded=at([NATIVE], f"{DECODED}/utterances.csv"),
        audio=ancient(at([NATIVE], f"{DECODED}/audio")),
    output:
        at([NATIVE], SCORES),
    log:
        "results/logs/score/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/score/{variant}/seed{seed}.tsv"
    wildcard_constraints:
        variant=NATIVE_ALONE,
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes_at_each_point(3600),
    params:
        spec=scored,
        decoded=subpath(input[-1], ancestor=2),
        scores=subpath(output[0], parent=True),
        mosnet=MOSNET_WEIGHTS,
        heard=HEARD_TABLE,
        # Undeclared: values by content, so that another metric computes that metric alone.
        caches="results/state/scores",
    shell:
        "python -m taae score-model --study results/study.json --variant {wildcards.variant}"
        " --seed {wildcards.seed} --reference {input.reference} --manifest {input.manifest}"
        " --decoded {params.decoded} --output {params.scores}"
        " {params.mosnet} {params.heard} --caches {params.caches} --jobs {threads} &> {log}"


use rule score as score_points with:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        branch(RECOGNISED, then=HEARD),
        manifest=f"{CORPUS}/test.csv",
        reference="results/reference/audio",
        decoded=at(POINTS, f"{DECODED}/utterances.csv"),
        audio=ancient(at(POINTS, f"{DECODED}/audio")),
    output:
        at(POINTS, SCORES),
    wildcard_constraints:
        variant=AT_POINTS,


rule score_other_codec:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        branch(RECOGNISED, then=HEARD),
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
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(3600),
    params:
        labels=lambda wildcards, input: "--run {0} --variant {0} --seed 0"
        " --codec-json {1}".format(wildcards.codec, input.about),
        names=STUDY.computed,
        limits=f"--max-failed {STUDY.metrics.max_failed}"
        f" --max-seconds {STUDY.metrics.max_seconds}",
        mosnet=MOSNET_WEIGHTS,
        speaker=shlex.join(SPEAKER_WEIGHTS),
        heard=recogniser_options,
        # As of rule score.
        cache="results/state/scores/codecs-{codec}.json",
    shell:
        "python -m taae score --reference {input.reference} --decoded {input.audio}"
        " --output {output} --manifest {input.manifest} --metrics {params.names}"
        " {params.limits} --split test {params.labels} {params.mosnet} {params.speaker}"
        " {params.heard}"
        " --cache {params.cache} --jobs {threads}"
        " &> {log}"


# Once for all that is decoded: the recogniser is the dearest of the metrics.
rule hear:
    input:
        code("evaluation/scoring/heard"),
        RECOGNISER,
        manifest=f"{CORPUS}/test.csv",
        reference="results/reference/audio",
    output:
        HEARD,
    log:
        "results/logs/hear.log",
    benchmark:
        "results/benchmarks/hear.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(3600),
    params:
        asr=ASR_MODEL,
    shell:
        "python -m taae hear --reference {input.reference} --manifest {input.manifest}"
        " --output {output} {params.asr} --jobs {threads} &> {log}"


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
