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
        html=results("tables/correlations.html"),
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


rule ensemble_gain:
    input:
        ensembles=rules.ensembles.output.table,
        summary=rules.summarise.output.summary,
    output:
        table=results("tables/ensemble_gain.csv"),
        markdown=results("tables/ensembles.md"),
        html=results("tables/ensembles.html"),
    log:
        log_of("ensemble_gain"),
    benchmark:
        benchmark_of("ensemble_gain")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        spec=job_spec("ensemble_gain"),
    message:
        "Whether diversity or flatness goes with the gain of ensembles"
    script:
        "../scripts/ensemble_gain.py"


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
        html=results("tables/asc_reanalysis.html"),
        models=results("tables/asc_models.csv"),
        correlations=results("tables/asc_correlations.csv"),
        trends=results("tables/asc_trends.csv"),
        trend_points=results("tables/asc_trend_points.csv"),
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
