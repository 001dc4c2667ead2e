# Training: one model per variant and seed, which may begin with a trunk; or a model from elsewhere,
# copied.


rule train:
    input:
        code("training/train"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "train", "validation"),
        shards=ancient(shard_folders),
        trunk=trunk_trained_here,
    output:
        f"{MODEL}/model.safetensors",
        f"{MODEL}/config.json",
        f"{MODEL}/history.csv",
        f"{MODEL}/provenance.json",
    log:
        "results/logs/train/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{variant}/seed{seed}.tsv"
    wildcard_constraints:
        variant="|".join(STUDY.trained) or "none",
    conda:
        "../../envs/torch.yaml"
    threads: lambda wildcards: variant_of(wildcards).training.threads_per_task
    resources:
        mem_mb=train_mb,
        runtime=minutes(6 * 3600),
        gpu=lambda wildcards: variant_of(wildcards).training.all_gpus,
        nodes=over_nodes("nodes"),
        mpi=over_nodes("mpi"),
        tasks=over_nodes("tasks"),
        tasks_per_node=over_nodes("tasks_per_node"),
        tasks_per_gpu=over_nodes("tasks_per_gpu"),
    params:
        name=lambda wildcards: wildcards.variant,
        spec=lambda wildcards: canonical(variant_of(wildcards)),
        trunk=lambda wildcards, input: (
            f"--trunk {Path(input.trunk[0]).parent}" if input.trunk else ""
        ),
        # A finished trunk by content: a touch reruns nothing.
        trunk_hashes=trunk_hashes,
        output=subpath(output[0], parent=True),
        # Undeclared on purpose: Snakemake deletes outputs before a rerun, and an interrupted
        # training goes on from here.
        state=STATE,
        # Undeclared too: finished models, also those that others have replaced. Back at their
        # settings, they come from here.
        kept=KEPT,
        # Both in object storage too, where another machine goes on.
        storage=in_s3("--state-storage", STATE) + in_s3(" --kept-storage", KEPT),
    # exec: a scheduler ends a job by SIGTERM to each of its processes. A shell would die of it, the
    # job with the shell, and the training with the job while it saves its state.
    shell:
        "exec python -m taae train --study results/study.json --variant {params.name}"
        " --seed {wildcards.seed} --corpus $(dirname {input.corpus}) --output {params.output}"
        " {params.trunk} --state {params.state} --kept {params.kept}"
        " {params.storage} &> {log}"


use rule train as trunk with:
    input:
        code("training/train"),
        corpus=f"{CORPUS}/corpus.json",
        speech=speech(CORPUS, "train", "validation"),
        shards=ancient(shard_folders),
    output:
        f"{TRUNK}/model.safetensors",
        f"{TRUNK}/config.json",
        f"{TRUNK}/history.csv",
        f"{TRUNK}/provenance.json",
    log:
        "results/logs/trunk/seed{seed}.log",
    benchmark:
        "results/benchmarks/trunk/seed{seed}.tsv"
    params:
        name="trunk",
        spec=canonical(STUDY.trunk) if STUDY.trunk else "",
        trunk="",
        trunk_hashes="",
        output=subpath(output[0], parent=True),
        state="results/state/trunk/seed{seed}",
        kept="results/kept/trunk/seed{seed}",
        storage=in_s3("--state-storage", "results/state/trunk/seed{seed}")
        + in_s3(" --kept-storage", "results/kept/trunk/seed{seed}"),


rule pretrained:
    input:
        code("codec/pretrained"),
        ancient(
            lambda wildcards: in_place(
                f"{variant_of(wildcards).pretrained}/model.safetensors"
            )
        ),
    output:
        f"{MODEL}/model.safetensors",
        f"{MODEL}/config.json",
        f"{MODEL}/provenance.json",
    log:
        "results/logs/pretrained/{variant}/seed{seed}.log",
    wildcard_constraints:
        variant="|".join(set(STUDY.variants) - set(STUDY.trained)) or "none",
    conda:
        "../../envs/figures.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(600),
    params:
        folder=subpath(input[-1], parent=True),
        output=subpath(output[0], parent=True),
        # The files by content: a touch reruns nothing.
        hashes=lambda wildcards: canonical(
            fingerprint(Path(variant_of(wildcards).pretrained))
        ),
    shell:
        "python -m taae copy-model {params.folder:q} {params.output} &> {log}"
