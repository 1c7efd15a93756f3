# One function per figure (scripts/minimascope/registry.py), drawn for each network on each data
# set from the tables alone.


rule plot:
    input:
        unpack(tables_of_figure),
    output:
        figure=results("figures/{dataset}/{network}/{figure}.svg"),
    log:
        log_of("plot", "{dataset}/{network}/{figure}"),
    benchmark:
        benchmark_of("plot", "{dataset}/{network}/{figure}")
    wildcard_constraints:
        figure=one_of(FIGURES),
    localrule: True
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


use rule plot as plot_dataset with:
    output:
        figure=results("figures/{dataset}/{figure}.svg"),
    log:
        log_of("plot_dataset", "{dataset}/{figure}"),
    benchmark:
        benchmark_of("plot_dataset", "{dataset}/{figure}")
    wildcard_constraints:
        figure=one_of(DATASET_FIGURES),
    localrule: True
    message:
        "Plotting {wildcards.figure} of all networks on {wildcards.dataset}"


use rule plot as plot_study with:
    output:
        figure=results("figures/{figure}.svg"),
    log:
        log_of("plot_study", "{figure}"),
    benchmark:
        benchmark_of("plot_study", "{figure}")
    wildcard_constraints:
        figure=one_of(STUDY_FIGURES),
    localrule: True
    message:
        "Plotting {wildcards.figure}"


if not PRINT_MADE_ELSEWHERE:

    use rule plot as plot_printed with:
        output:
            figure=in_print("figures/{figure}.svg"),
        log:
            in_print("logs/plot_printed/{figure}.log"),
        benchmark:
            in_print("benchmarks/plot_printed/{figure}.tsv")
        wildcard_constraints:
            figure=one_of(PRINTED_FIGURES),
        localrule: True
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
        spec=job_spec("plot_interactive"),
    message:
        "Interactive landscapes of {wildcards.network} on {wildcards.dataset}"
    script:
        "../scripts/plot_interactive.py"
