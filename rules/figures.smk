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
            log_of("plot", all_figures(subject)),
        benchmark:
            benchmark_of("plot", all_figures(subject))
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
            f"Figures of {' on '.join(reversed(subject)) or 'the study'}"
        script:
            "../scripts/plot.py"


FIGURES_IN_PRINT = [in_print(f"figures/{name}.svg") for name in registry.PRINTED_FIGURES]
# All that no study decides, which another module may make in place of this one.
PRINTED_FILES = [*table_outputs(PRINTED_TABLES, in_print).values(), *FIGURES_IN_PRINT]
# Those that this study wants: all or none, so that studies agree about them.
PRINTED_WANTED = PRINTED_FILES if STUDY.compared else []

if not PRINT_MADE_ELSEWHERE:

    rule print_figures:
        input:
            **{
                table: in_print(f"tables/{table}.csv")
                for table in needed_by(registry.PRINTED_FIGURES)
            },
        output:
            figures=[reported(path) for path in FIGURES_IN_PRINT],
        log:
            in_print("logs/print_figures/all.log"),
        benchmark:
            in_print("benchmarks/print_figures/all.tsv")
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
