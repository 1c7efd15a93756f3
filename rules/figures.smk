# Figures of scripts/minimascope/registry.py, drawn from the tables alone: those of a network on a data
# set in one job, those of all networks of a data set, those of the study, and those of what is in print.


for subject, figures in FIGURES_OF.items():

    rule:
        name:
            plot_rule(subject)
        input:
            **figure_inputs(subject),
        output:
            **figure_outputs(subject),
        log:
            log_of("plot", f"{subject}figures"),
        benchmark:
            benchmark_of("plot", f"{subject}figures")
        localrule: True
        conda:
            "../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            **figure_params(figures, of_subject(subject), has_page(subject)),
        message:
            f"Figures of {subject.rstrip('/') or 'the study'}"
        script:
            "../scripts/plot.py"


if not PRINT_MADE_ELSEWHERE:

    rule print_figures:
        input:
            **{
                table: in_print(f"tables/{table}.csv")
                for table in needed_by(registry.PRINTED_FIGURES)
            },
        output:
            figures=[in_print(f"figures/{name}.svg") for name in registry.PRINTED_FIGURES],
        log:
            in_print("logs/print_figures.log"),
        benchmark:
            in_print("benchmarks/print_figures.tsv")
        localrule: True
        conda:
            "../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            **figure_params(registry.PRINTED_FIGURES, of_print),
        message:
            "Figures of what is in print"
        script:
            "../scripts/plot.py"
