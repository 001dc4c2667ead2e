# The test utterances through other codecs.


rule other_codec:
    input:
        code("evaluation/other_codecs/run"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "test"),
    output:
        audio=directory("results/codecs/{codec}/audio"),
        table="results/codecs/{codec}/utterances.csv",
        about="results/codecs/{codec}/codec.json",
    log:
        "results/logs/other_codec/{codec}.log",
    benchmark:
        "results/benchmarks/other_codec/{codec}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(3600),
    params:
        spec=lambda wildcards: canonical(asdict(other_codec_of(wildcards))),
        test=lambda wildcards: wildcards.get("test", MAIN),
        # What it takes from outside of the study: another program, another content of a folder.
        dependencies=lambda wildcards: other_codec_of(wildcards).dependencies(),
    shell:
        "python -m taae other-codec --study results/study.json --codec {wildcards.codec}"
        ' --corpus "$(dirname {input.corpus})" --output "$(dirname {output.about})"'
        " --test {params.test} --threads {threads} &> {log}"
