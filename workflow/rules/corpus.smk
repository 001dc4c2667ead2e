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


rule corpus:
    input:
        code("corpus/prepare"),
        expand("results/download/{subset}.json", subset=STUDY.subsets),
        manifest(STUDY.corpus),
    output:
        expand(f"{CORPUS}/{{split}}.{{kind}}", split=SPLITS, kind=("npy", "csv")),
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
        test="",
    # What a job that was killed left, on whatever machine, is as large as the corpus.
    shell:
        "folder=$(dirname {output.about}); rm -rf $folder/.*.partial-*;"
        " python -m taae corpus --study results/study.json --output $folder {params.test}"
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
