# Analytic toy functions: no training, an exact check of the curvature code against print.


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
