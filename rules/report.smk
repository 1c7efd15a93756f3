# One page for readers, from tables and figures alone.


rule report:
    input:
        tables=tables_of_report,
        figures=figures(),
    output:
        page=results("report.html"),
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        spec=report_spec,
        records=records_of_jobs,
    message:
        "Report: one page of everything"
    script:
        "../scripts/report.py"
