# Training: one model per variant and seed; or a model from elsewhere, copied.


rule train:
    input:
        code("training/train"),
        corpus=f"{CORPUS}/corpus.json",
        audio=ancient(expand(f"{CORPUS}/{{split}}.npy", split=("train", "validation"))),
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
        spec=lambda wildcards: canonical(variant_of(wildcards)),
        # Undeclared on purpose: Snakemake deletes outputs before a rerun, and an interrupted
        # training goes on from here.
        state="results/state/{variant}/seed{seed}",
        # Undeclared too: finished models, also those that others have replaced. Back at their
        # settings, they come from here.
        kept=KEPT,
    # exec: a scheduler ends a job by SIGTERM to each of its processes. A shell would die of it, the
    # job with the shell, and the training with the job while it saves its state.
    shell:
        "exec python -m taae train --study results/study.json --variant {wildcards.variant}"
        " --seed {wildcards.seed} --corpus results/corpus"
        " --output results/models/{wildcards.variant}/seed{wildcards.seed}"
        " --state {params.state} --kept {params.kept} &> {log}"


rule pretrained:
    input:
        code("codec/pretrained"),
        ancient(
            lambda wildcards: f"{variant_of(wildcards).pretrained}/model.safetensors"
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
        # The files by content: a touch reruns nothing.
        hashes=lambda wildcards: canonical(
            fingerprint(Path(variant_of(wildcards).pretrained))
        ),
    shell:
        "python -m taae copy-model {params.folder:q}"
        " results/models/{wildcards.variant}/seed{wildcards.seed} &> {log}"
