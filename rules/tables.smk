# From one JSON per model and family to tidy tables, and from these to all others.


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
    localrule: True
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


rule gather:
    input:
        unpack(documents_with),
    output:
        table=results("tables/{gathered}.csv"),
    log:
        log_of("gather", "{gathered}"),
    benchmark:
        benchmark_of("gather", "{gathered}")
    wildcard_constraints:
        gathered=one_of(GATHERED),
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        spec=gather_spec,
    message:
        "Gathering {wildcards.gathered} of all models in one table"
    script:
        "../scripts/gather.py"


# Where this workflow is a module beside another of it, which then makes what no study decides.
PRINT_MADE_ELSEWHERE = made_by_another_module(in_print("tables/toy_geometry.csv"))

# One rule for each of TABLES (scripts/minimascope/registry.py), table_<name>.
for name, table in TABLES.items():
    if table.of_print_alone and PRINT_MADE_ELSEWHERE:
        continue

    rule:
        name:
            f"table_{name}"
        input:
            **inputs_of_table(table),
        output:
            **outputs_of_table(name),
        log:
            place_of(table)(f"logs/table/{name}.log"),
        benchmark:
            place_of(table)(f"benchmarks/table/{name}.tsv")
        localrule: True
        conda:
            "../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            spec=table_spec(name),
        message:
            f"Table: {name}"
        script:
            "../scripts/table.py"
