# One function per figure (scripts/minimascope/registry.py), drawn from the tables alone: for each
# network on each data set, for all networks of a data set, or for a study.


rule plot:
    input:
        unpack(
            lambda wildcards: {
                table: results(f"tables/{table}.csv")
                for table in registry.ALL_FIGURES[wildcards.figure].needs
            }
        ),
    output:
        figure=results("figures/{subject}{figure}.svg"),
    log:
        log_of("plot", "{subject}{figure}"),
    benchmark:
        benchmark_of("plot", "{subject}{figure}")
    wildcard_constraints:
        # Nothing for figures of the study.
        subject=f"({one_of(filter(None, FIGURES_OF))})?",
        figure=one_of(registry.ALL_FIGURES),
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        **named(
            code=code("plot", lambda wildcards: [registry.ALL_FIGURES[wildcards.figure].location]),
            # What the figure is of.
            of=lambda wildcards: dict(
                zip(("dataset", "network"), wildcards.subject.split("/")[:-1])
            ),
        ),
    message:
        "Plotting {wildcards.subject}{wildcards.figure}"
    script:
        "../scripts/plot.py"


if not PRINT_MADE_ELSEWHERE:

    use rule plot as plot_printed with:
        input:
            unpack(
                # By the names that a study's tables have.
                lambda wildcards: {
                    table.removeprefix("asc_"): in_print(f"tables/{table}.csv")
                    for table in registry.PRINTED_FIGURES[wildcards.figure].needs
                }
            ),
        output:
            figure=in_print("figures/{figure}.svg"),
        log:
            in_print("logs/plot_printed/{figure}.log"),
        benchmark:
            in_print("benchmarks/plot_printed/{figure}.tsv")
        wildcard_constraints:
            figure=one_of(registry.PRINTED_FIGURES),
        localrule: True
        params:
            # That of printed models is told which data set these are.
            **named(
                of=lambda wildcards: (
                    {"dataset": registry.PRINTED_SCENES}
                    if wildcards.figure.startswith("published-")
                    else {}
                )
            ),
        message:
            "Plotting {wildcards.figure} of what is in print"


rule plot_interactive:
    input:
        landscape=results("tables/landscape.csv"),
    output:
        page=results("figures/{dataset}/{network}/landscape.html"),
    log:
        log_of("plot_interactive", "{dataset}/{network}"),
    benchmark:
        benchmark_of("plot_interactive", "{dataset}/{network}")
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        **named(code=code("plot_interactive")),
    message:
        "Interactive landscapes of {wildcards.network} on {wildcards.dataset}"
    script:
        "../scripts/plot_interactive.py"
