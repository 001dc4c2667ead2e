# What a job asks for, with the study's own helpers and profile. No job here needs CUDA.


configfile: "config.yaml"


include: "workflow/rules/common.smk"


localrules:
    all,


wildcard_constraints:
    name="[ab]",


rule all:
    input:
        expand("requests/one-{name}.txt", name=["a", "b"]),
        "requests/two.txt",
        "requests/hog.txt",


# Each waits for the other, so that they surely run at the same time.
rule one:
    output:
        "requests/one-{name}.txt",
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(600),
        gpu=1,
    shell:
        "touch here-{wildcards.name};"
        " timeout 100 sh -c 'until test -e here-a -a -e here-b; do sleep 0.2; done';"
        " printenv SLURMD_NODENAME CUDA_VISIBLE_DEVICES SLURM_JOB_ID > {output}"


rule two:
    output:
        "requests/two.txt",
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(600),
        gpu=2,
    shell:
        "printenv SLURMD_NODENAME CUDA_VISIBLE_DEVICES SLURM_JOB_ID > {output}"


# Snakemake's own processes count too: too much for 700 MB, well below 1400.
rule hog:
    output:
        "requests/hog.txt",
    resources:
        mem_mb=megabytes(700),
        runtime=minutes(600),
    shell:
        "python -c 'import time; x = bytes([1]) * (700 << 20); time.sleep(6)';"
        " printenv SLURM_JOB_ID > {output}"
