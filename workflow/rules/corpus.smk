# Data preparation: any kind of corpus -> one store.


rule download:
    # The receipt alone is an output: Snakemake deletes outputs before a rerun, and a download
    # that broke off goes on from what lies in corpus.librispeech.path.
    output:
        "results/download/{subset}.json",
    log:
        "results/logs/download/{subset}.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        folder=STUDY.download.path,
    shell:
        "python -m taae download --study results/study.json --subset {wildcards.subset}"
        " --output $(dirname {output}) &> {log}"


# What tells which files there are.
LISTED = [
    *expand("results/download/{subset}.json", subset=STUDY.subsets),
    *manifest(STUDY.corpus),
]


# Where corpus.shard_hours is set: the files listed once, and cut into shards.
checkpoint shards:
    input:
        code("corpus/shards"),
        LISTED,
    output:
        folder=directory("results/shards"),
        index="results/shards.json",
    log:
        "results/logs/shards.log",
    benchmark:
        "results/benchmarks/shards.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(3600),
    params:
        spec=lambda wildcards: canonical(STUDY.corpus),
        hours=STUDY.shard_hours,
    shell:
        "python -m taae shards --study results/study.json --output {output.folder}"
        " --index {output.index} &> {log}"


rule corpus_shard:
    input:
        code("corpus/shards"),
        # The name of a shard is a hash of what it is made of.
        shard=ancient("results/shards/{shard}.json"),
    output:
        directory(f"{CORPUS}/shards/{{shard}}"),
    log:
        "results/logs/corpus_shard/{shard}.log",
    benchmark:
        "results/benchmarks/corpus_shard/{shard}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(6 * 3600),
    shell:
        "python -m taae corpus-shard {input.shard} --output {output} --jobs {threads} &> {log}"


# Prepares the corpus, or joins its shards.
rule corpus:
    input:
        code("corpus/shards" if STUDY.shard_hours else "corpus/prepare"),
        [] if STUDY.shard_hours else LISTED,
        shard_folders,
        index=branch(STUDY.shard_hours, then="results/shards.json"),
    output:
        speech_files(CORPUS, *SPLITS),
        f"{CORPUS}/rejected.csv",
        about=f"{CORPUS}/corpus.json",
    log:
        "results/logs/corpus.log",
    benchmark:
        "results/benchmarks/corpus.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(6 * 3600),
    params:
        spec=lambda wildcards: canonical(STUDY.corpus),  # which may have {workflow} in it
        what=lambda wildcards, input: (
            f"--shards {input.index}" if STUDY.shard_hours else ""
        ),
    # What a job that was killed left, on whatever machine, is as large as the corpus.
    shell:
        "folder=$(dirname {output.about}); rm -rf $folder/.*.partial-*;"
        " python -m taae corpus --study results/study.json --output $folder {params.what}"
        " --jobs {threads} &> {log}"


rule reference:
    input:
        code("evaluation/decoded_files"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "test"),
    output:
        directory("results/reference/audio"),
    log:
        "results/logs/reference.log",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(600),
    params:
        tested="",
    shell:
        'python -m taae reference --corpus "$(dirname {input.corpus})" {params.tested}'
        ' --output "$(dirname {output})" &> {log}'
