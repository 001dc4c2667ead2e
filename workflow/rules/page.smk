# The study as a page: what was found, sounds to compare, figures, tables, settings.


rule page:
    input:
        code("page/write"),
        # Template, style sheet and scripts, and the captions of figures.
        in_place(*sorted(Path(PACKAGE, "taae", "page").glob("*.[!p]*"))),
        in_place(*sorted({f"{PACKAGE}/report/{figure.kind}.rst" for figure in SHOWN})),
        TABLES,
        [f"results/figures/{figure.name}.png" for figure in SHOWN],
        f"{CORPUS}/test.csv",
        "results/reference/audio",
        # The tables hold a hash of every sound: the page depends on these alone.
        heard(f"{DECODED}/utterances.csv", SCORES),
        ancient(heard(f"{DECODED}/audio")),
        expand("results/codecs/{codec}/utterances.csv", codec=STUDY.codecs),
        expand("results/scores/codecs/{codec}.csv", codec=STUDY.codecs),
        ancient(expand("results/codecs/{codec}/audio", codec=STUDY.codecs)),
    output:
        report(
            directory(PAGE),
            "../report/page.rst",
            category="Page",
            htmlindex="index.html",
        ),
    log:
        "results/logs/page.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        results=subpath(output[0], parent=True),
        # A function, since braces in the config are no wildcards.
        spec=lambda wildcards: canonical(config),
    shell:
        "python -m taae page --study results/study.json --results {params.results} &> {log}"
