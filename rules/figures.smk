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


rule plot_dataset:
    input:
        unpack(tables_of_dataset_figure),
    output:
        figure=results("figures/{dataset}/{figure}.svg"),
    log:
        log_of("plot_dataset", "{dataset}/{figure}"),
    benchmark:
        benchmark_of("plot_dataset", "{dataset}/{figure}")
    wildcard_constraints:
        figure=one_of(DATASET_FIGURES),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=plot_dataset_spec,
    message:
        "Plotting {wildcards.figure} of all networks on {wildcards.dataset}"
    script:
        "../scripts/plot_dataset.py"


rule plot_reanalysis:
    input:
        unpack(tables_of_reanalysis),
    output:
        figure=results("figures/published-{figure}.svg"),
    log:
        log_of("plot_reanalysis", "{figure}"),
    benchmark:
        benchmark_of("plot_reanalysis", "{figure}")
    wildcard_constraints:
        figure=one_of(figures_of_reanalysis()),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=plot_reanalysis_spec,
    message:
        "Plotting {wildcards.figure} of the printed models"
    script:
        "../scripts/plot_dataset.py"


rule plot_interactive:
    input:
        landscape=results("tables/landscape.csv"),
    output:
        page=results("figures/{dataset}/{network}/landscape.html"),
    log:
        log_of("plot_interactive", "{dataset}/{network}"),
    benchmark:
        benchmark_of("plot_interactive", "{dataset}/{network}")
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
