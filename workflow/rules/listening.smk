# Ratings of listening tests: scores like any other, with a listener.

if STUDY.listening.tests:

    rule ratings:
        input:
            code("listening/ratings"),
            key=in_place(*expand("{test}/key.json", test=STUDY.listening.tests)),
            files=rating_files(),
        output:
            RATINGS,
            table("listeners.csv", "listeners"),
        log:
            "results/logs/ratings.log",
        localrule: True
        conda:
            "../../envs/figures.yaml"
        params:
            tests=STUDY.listening.tests,
            spec=lambda wildcards: canonical(  # which may have {words} of commands in it
                {
                    "corpus": STUDY.corpus,
                    "variants": {
                        name: asdict(variant)
                        for name, variant in STUDY.variants.items()
                    },
                    "codecs": {
                        name: asdict(codec) for name, codec in STUDY.codecs.items()
                    },
                }
            ),
        shell:
            "python -m taae ratings {input.files:q} --test {params.tests:q}"
            " --study results/study.json --output {output[0]} --listeners {output[1]} &> {log}"
