# From one JSON per model and family to tidy tables, and from these to the main table.


rule collect:
    input:
        documents=family_documents,
        calibration=rules.calibrate.output.calibration,
        histories=every_run(rules.train.output.history),
    output:
        measures=results("tables/measures.csv"),
        provenance=results("tables/provenance.csv"),
        history=results("tables/history.csv"),
    log:
        log_of("collect"),
    benchmark:
        benchmark_of("collect")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=job_spec("collect"),
    message:
        "Collecting all measures in one table"
    script:
        "../scripts/collect.py"


rule conditions:
    output:
        table=results("tables/conditions.csv"),
    log:
        log_of("conditions"),
    benchmark:
        benchmark_of("conditions")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        spec=job_spec("conditions", rows=condition_rows(STUDY)),
    message:
        "What each condition is"
    script:
        "../scripts/conditions.py"


rule gather:
    input:
        unpack(curve_files),
    output:
        table=results("tables/{curves}.csv"),
    log:
        log_of("gather", "{curves}"),
    benchmark:
        benchmark_of("gather", "{curves}")
    wildcard_constraints:
        curves="hessian|landscape|interpolation",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        spec=job_spec("gather"),
    message:
        "Gathering the curves of {wildcards.curves} in one table"
    script:
        "../scripts/gather.py"


rule summarise:
    input:
        measures=rules.collect.output.measures,
        disagreement=rules.disagreement.output.table,
    output:
        summary=results("tables/summary.csv"),
        main=results("tables/main.csv"),
        markdown=results("tables/main.md"),
        latex=results("tables/main.tex"),
        html=results("tables/main.html"),
        sharpness=results("tables/sharpness.csv"),
        sharpness_markdown=results("tables/sharpness.md"),
        sharpness_html=results("tables/sharpness.html"),
    log:
        log_of("summarise"),
    benchmark:
        benchmark_of("summarise")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=job_spec("summarise"),
    message:
        "Main table: mean and standard error of each condition"
    script:
        "../scripts/summarise.py"


rule agreement:
    input:
        summary=rules.summarise.output.summary,
        conditions=rules.conditions.output.table,
    output:
        table=results("tables/agreement.csv"),
        order=results("tables/agreement_order.csv"),
        markdown=results("tables/agreement.md"),
        html=results("tables/agreement.html"),
    log:
        log_of("agreement"),
    benchmark:
        benchmark_of("agreement")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=agreement_spec(),
    message:
        "Printed values beside ours"
    script:
        "../scripts/agreement.py"
