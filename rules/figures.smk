# One function per figure (scripts/minimascope/registry.py), drawn for each network on each data
# set from the tables alone.


def plot_spec(wildcards) -> str:
    return job_spec("plot", FIGURES[wildcards.figure].module)


def tables_of_figure(wildcards) -> dict[str, str]:
    """The tables that a figure is drawn from, by name."""
    return {
        table: results(f"tables/{table}.csv")
        for table in FIGURES[wildcards.figure].options
    }


def figures() -> list[str]:
    """The figures that a study ends with."""
    return expand(
        rules.plot.output.figure,
        dataset=STUDY.config["datasets"],
        network=STUDY.config["networks"],
        figure=FIGURES,
    )


rule plot:
    input:
        unpack(tables_of_figure),
    output:
        figure=report(
            results("figures/{dataset}/{network}/{figure}.svg"),
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{network} on {dataset}",
            labels={"figure": "{figure}"},
        ),
    log:
        log_of("plot", "{dataset}/{network}/{figure}"),
    benchmark:
        benchmark_of("plot", "{dataset}/{network}/{figure}")
    wildcard_constraints:
        figure=one_of(FIGURES),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=plot_spec,
    message:
        "Plotting {wildcards.figure} of {wildcards.network} on {wildcards.dataset}"
    script:
        "../scripts/plot.py"
