# Conditions against the baseline, and what the papers claim of them: in our results and in print.


rule condition_statistics:
    input:
        measures=rules.collect.output.measures,
        disagreement=rules.disagreement.output.table,
        conditions=rules.conditions.output.table,
    output:
        table=results("tables/statistics.csv"),
        markdown=results("tables/statistics.md"),
        html=results("tables/statistics.html"),
    log:
        log_of("condition_statistics"),
    benchmark:
        benchmark_of("condition_statistics")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        spec=job_spec("condition_statistics"),
    message:
        "Comparing conditions with the baseline, paired by seed"
    script:
        "../scripts/condition_statistics.py"


rule trends:
    input:
        summary=rules.summarise.output.summary,
        measures=rules.collect.output.measures,
        conditions=rules.conditions.output.table,
    output:
        table=results("tables/trends.csv"),
        points=results("tables/trend_points.csv"),
        order=results("tables/rank_agreement.csv"),
        markdown=results("tables/trends.md"),
        html=results("tables/trends.html"),
    log:
        log_of("trends"),
    benchmark:
        benchmark_of("trends")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=job_spec("trends"),
    message:
        "Slopes within networks and over all, and orders of measures"
    script:
        "../scripts/trends.py"


rule claims:
    input:
        measures=rules.collect.output.measures,
        disagreement=rules.disagreement.output.table,
        conditions=rules.conditions.output.table,
    output:
        table=results("tables/claims.csv"),
        markdown=results("tables/claims.md"),
        html=results("tables/claims.html"),
    log:
        log_of("claims"),
    benchmark:
        benchmark_of("claims")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=job_spec("claims"),
    message:
        "Testing the papers' claims on our results"
    script:
        "../scripts/claims.py"


rule claims_in_print:
    output:
        table=results("tables/claims_in_print.csv"),
        markdown=results("tables/claims_in_print.md"),
        html=results("tables/claims_in_print.html"),
    log:
        log_of("claims_in_print"),
    benchmark:
        benchmark_of("claims_in_print")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=claims_in_print_spec(),
    message:
        "Testing the papers' claims on the numbers that they print"
    script:
        "../scripts/claims_in_print.py"
