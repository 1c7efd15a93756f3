# Figures of scripts/minimascope/tables_and_figures.py, drawn from the tables alone: those of a network
# on a data set in one job, those of all networks of a data set, those of the study, and those of
# published results.


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
            **figure_params(figures, of_subject(subject)),
            **view_params(subject),
        message:
            f"Figures of {' on '.join(reversed(subject)) or 'the study'}"
        script:
            "../scripts/plot.py"


PUBLISHED_FIGURES_OF = drawn(
    published(f"figures/{name}") for name in tables_and_figures.PUBLISHED_FIGURES
)
# All that no study decides, which another module may make in place of this one.
PUBLISHED_FILES = [
    *table_outputs(PUBLISHED_TABLES, published).values(),
    *map(str, sum(PUBLISHED_FIGURES_OF.values(), [])),
]
# Those that this study wants: all or none, so that studies agree about them.
PUBLISHED_WANTED = PUBLISHED_FILES if compared_kinds(STUDY) else []

if not PUBLISHED_MADE_ELSEWHERE:

    rule published_figures:
        input:
            **{
                table: published(f"tables/{table}.csv")
                for table in needed_by(tables_and_figures.PUBLISHED_FIGURES)
            },
        output:
            **PUBLISHED_FIGURES_OF,
        log:
            published("logs/published_figures/all.log"),
        benchmark:
            published("benchmarks/published_figures/all.tsv")
        localrule: True
        conda:
            "../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            **figure_params(tables_and_figures.PUBLISHED_FIGURES, of_published),
        message:
            "Figures of published results"
        script:
            "../scripts/plot.py"
