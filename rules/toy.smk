# Analytic toy functions: no training, an exact check of the curvature code against print.


def toy_results() -> list[str]:
    """Outputs of the toy stage, if the study wants it."""
    return list(rules.toy_geometry.output) if STUDY.config["toy_functions"] else []


def toy_geometry_spec() -> str:
    # Part of the workflow, not of the data: as an input file its path would change with the
    # checkout, and rerun the job.
    printed = BASE / "resources" / "published" / "toy_functions.csv"
    return job_spec("toy_geometry", printed=printed.read_text(encoding="utf-8"))


rule toy_geometry:
    output:
        table=results("tables/toy_geometry.csv"),
        html=report(
            results("tables/toy_geometry.html"),
            caption="../report/toy_geometry.rst",
            category="Toy functions",
            labels={"table": "Hessian geometry against print"},
        ),
        figure=report(
            results("figures/toy_geometry.svg"),
            caption="../report/toy_geometry.rst",
            category="Toy functions",
            labels={"table": "Functions and minima"},
        ),
    log:
        log_of("toy_geometry"),
    benchmark:
        benchmark_of("toy_geometry")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=toy_geometry_spec(),
    message:
        "Hessian geometry of the toy functions"
    script:
        "../scripts/toy_geometry.py"
