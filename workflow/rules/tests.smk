# More test sets: prepared, decoded and scored as the corpus's own test split is, natively.


use rule corpus as corpus_test with:
    input:
        code("corpus/prepare"),
        code("corpus/alter_corpus"),
        made_of,
    output:
        expand(f"{TEST}/corpus/test.{{kind}}", kind=("npy", "csv"), allow_missing=True),
        f"{TEST}/corpus/rejected.csv",
        about=f"{TEST}/corpus/corpus.json",
    log:
        "results/logs/tests/{test}/corpus.log",
    benchmark:
        "results/benchmarks/tests/{test}/corpus.tsv"
    params:
        spec=lambda wildcards: canonical(test_set(wildcards).chosen()),
        what=lambda wildcards: [
            *("--test", wildcards.test),
            *where(
                test_set(wildcards).kind == "altered",
                *("--source", local_copy(corpus_of(test_set(wildcards).altered.of))),
            ),
        ],


use rule reference as reference_test with:
    input:
        code("evaluation/decoded_files"),
        corpus=lambda wildcards: f"{compared_with(wildcards)}/corpus.json",
        speech=lambda wildcards: speech(compared_with(wildcards), "test"),
        tested=f"{TEST}/corpus/corpus.json",
        tested_speech=speech(f"{TEST}/corpus", "test"),
    output:
        directory(f"{TEST}/reference/audio"),
    log:
        "results/logs/tests/{test}/reference.log",
    params:
        tested=lambda wildcards, input: f"--tested {Path(input.tested).parent}",


use rule hear as hear_test with:
    input:
        code("evaluation/scoring/heard"),
        RECOGNISER,
        manifest=f"{TEST}/corpus/test.csv",
        reference=f"{TEST}/reference/audio",
    output:
        f"{TEST}/reference/heard.csv",
    log:
        "results/logs/tests/{test}/hear.log",
    benchmark:
        "results/benchmarks/tests/{test}/hear.tsv"


use rule decode as decode_test with:
    input:
        code("evaluation/decode"),
        corpus=f"{TEST}/corpus/corpus.json",
        speech=speech(f"{TEST}/corpus", "test"),
        model=f"{MODEL}/model.safetensors",
        config=f"{MODEL}/config.json",
    output:
        directory(f"{TEST_DECODED}/audio"),
        f"{TEST_DECODED}/codes.npz",
        f"{TEST_DECODED}/utterances.csv",
    log:
        "results/logs/tests/{test}/decode/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/tests/{test}/decode/{variant}/seed{seed}.tsv"
    wildcard_constraints:
        variant="|".join(STUDY.variants),
    params:
        folder=subpath(output[0], parent=True),
        points="",


use rule other_codec as other_codec_test with:
    input:
        code("evaluation/other_codecs/run"),
        corpus=f"{TEST}/corpus/corpus.json",
        speech=speech(f"{TEST}/corpus", "test"),
    output:
        audio=directory(f"{TEST}/codecs/{{codec}}/audio"),
        table=f"{TEST}/codecs/{{codec}}/utterances.csv",
        about=f"{TEST}/codecs/{{codec}}/codec.json",
    log:
        "results/logs/tests/{test}/other_codec/{codec}.log",
    benchmark:
        "results/benchmarks/tests/{test}/other_codec/{codec}.tsv"


use rule score_other_codec as score_other_codec_test with:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        branch(RECOGNISED, then=f"{TEST}/reference/heard.csv"),
        manifest=f"{TEST}/corpus/test.csv",
        reference=f"{TEST}/reference/audio",
        about=f"{TEST}/codecs/{{codec}}/codec.json",
        decoded=f"{TEST}/codecs/{{codec}}/utterances.csv",
        audio=ancient(f"{TEST}/codecs/{{codec}}/audio"),
    output:
        f"{TEST}/scores/codecs/{{codec}}.csv",
    log:
        "results/logs/tests/{test}/score/codecs/{codec}.log",
    benchmark:
        "results/benchmarks/tests/{test}/score/codecs/{codec}.tsv"
    params:
        cache="results/state/scores/tests/{test}/codecs-{codec}.json",


use rule score_other_codec as score_test with:
    input:
        code("evaluation/scoring/score"),
        branch("mosnet" in STUDY.metrics.names, then=MOSNET),
        branch(RECOGNISED, then=f"{TEST}/reference/heard.csv"),
        manifest=f"{TEST}/corpus/test.csv",
        reference=f"{TEST}/reference/audio",
        decoded=f"{TEST_DECODED}/utterances.csv",
        audio=ancient(f"{TEST_DECODED}/audio"),
    output:
        TEST_SCORES,
    log:
        "results/logs/tests/{test}/score/{variant}/seed{seed}.log",
    benchmark:
        "results/benchmarks/tests/{test}/score/{variant}/seed{seed}.tsv"
    params:
        labels=lambda wildcards: "--run {0}/seed{1} --variant {0} --seed {1} --bitrate {2}".format(
            wildcards.variant, wildcards.seed, variant_of(wildcards).bitrate()
        ),
        cache="results/state/scores/tests/{test}/{variant}-seed{seed}.json",
