# How sharpness is related to accuracy over all networks of a data set, in our results and in print.


rule correlate:
    input:
        measures=rules.collect.output.measures,
        conditions=rules.conditions.output.table,
    output:
        models=results("tables/models.csv"),
        correlations=results("tables/correlations.csv"),
        variance_shares=results("tables/variance_shares.csv"),
        markdown=results("tables/correlations.md"),
        html=report(
            results("tables/correlations.html"),
            caption="../report/correlations.rst",
            category="Sharpness and accuracy",
            labels={"table": "Correlations and shares of variance"},
        ),
    log:
        log_of("correlate"),
    benchmark:
        benchmark_of("correlate")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        spec=correlate_spec(),
    message:
        "Correlations of sharpness with accuracy, and shares of variance"
    script:
        "../scripts/correlate.py"


rule stability:
    input:
        documents=landscapes,
    output:
        stability=results("tables/stability.csv"),
        stability_order=results("tables/stability_order.csv"),
    log:
        log_of("stability"),
    benchmark:
        benchmark_of("stability")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stability_spec(),
    message:
        "How far ASC sharpness depends on the random directions"
    script:
        "../scripts/stability.py"


rule reanalyse:
    output:
        comparison=results("tables/asc_reanalysis.csv"),
        markdown=results("tables/asc_reanalysis.md"),
        html=report(
            results("tables/asc_reanalysis.html"),
            caption="../report/reanalysis.rst",
            category="Published rows, re-analysed",
            labels={"table": "Our statistics of the printed rows"},
        ),
        models=results("tables/asc_models.csv"),
        correlations=results("tables/asc_correlations.csv"),
        variance_shares=results("tables/asc_variance_shares.csv"),
        stability=results("tables/asc_stability.csv"),
        stability_order=results("tables/asc_stability_order.csv"),
        domains=results("tables/asc_domain_accuracy.csv"),
    log:
        log_of("reanalyse"),
    benchmark:
        benchmark_of("reanalyse")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        spec=reanalyse_spec(),
    message:
        "Re-analysing the printed models of acoustic scene classification"
    script:
        "../scripts/reanalyse.py"
