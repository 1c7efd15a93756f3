# One page for readers, from tables and figures alone.


rule report:
    input:
        tables=lambda wildcards: tables_of_report(),
        figures=lambda wildcards: figures_of_report(),
    output:
        page=results("report.html"),
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        **named(
            code=code("report", lambda wildcards: [table.text for table in READABLE.values()]),
            readable=list(READABLE),
            # What the page says of parts of the user's own file; the digest of code has no docstrings.
            own_docstrings={
                name: docstring(STUDY.component(kind, name))
                for kind in OWN_SECTIONS
                for name in STUDY.own(kind)
            },
            made=sorted(tables_made()),
            # The hashes of texts, since Snakemake prints what has changed.
            texts={
                name: digest((BASE / name).read_bytes())
                for name in (
                    "report/contents.yaml",
                    "report/page.html.j2",
                    "resources/papers.yaml",
                )
            },
            # Each section of the study; `published` is merged into these where it counts.
            **{
                key: value
                for key, value in {
                    **STUDY.config,
                    "seeds": STUDY.seeds,
                    "data_dir": DATA_DIR,
                }.items()
                if key != "published"
            },
        ),
        # No input files, since a lost record need not be made again. Derived from the output, since
        # Snakemake neither keeps nor compares such params.
        records=lambda wildcards, output: records(output.page.removesuffix(results("report.html"))),
    message:
        "Report: one page of everything"
    script:
        "../scripts/report.py"
