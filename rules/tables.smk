# From one JSON per model and family to tidy tables, and from these to all others.


rule collect:
    input:
        documents=lambda wildcards: [
            path
            for name in ("evaluate", *STUDY.families)
            for path in filled(getattr(rules, name).output.measures, JOBS[name])
        ],
        calibration=rules.calibrate.output.calibration,
        histories=filled(rules.train.output.history, RUNS),
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
        **named(code=code("collect")),
    message:
        "Collecting all measures in one table"
    script:
        "../scripts/collect.py"


# The jobs whose documents a table is gathered of; of the last three with their arrays.
GATHERED_OF = {
    "toy_fits": ("toy_sharpness", every(part=STUDY.toy_parts)),
    "asc_pairs": (
        "landscape",
        [case for case in MEASURED if case["condition"] != registry.INITIAL],
    ),
    "domains": ("evaluate", [run for run in RUNS if run["dataset"] in STUDY.recordings]),
    "landscape": ("landscape", MEASURED),
    "hessian": ("hessian", MEASURED),
    "interpolation": ("interpolate", every_pair(seed=STUDY.seeds)),
}


rule gather:
    input:
        documents=lambda wildcards: gathered_of(wildcards, "measures"),
        arrays=lambda wildcards: (
            gathered_of(wildcards, "arrays")
            if wildcards.gathered in ("landscape", "hessian", "interpolation")
            else []
        ),
    output:
        table=results("tables/{gathered}.csv"),
    log:
        log_of("gather", "{gathered}"),
    benchmark:
        benchmark_of("gather", "{gathered}")
    wildcard_constraints:
        gathered=one_of(registry.GATHERED),
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        **named(
            code=code("gather", lambda wildcards: [registry.GATHERED[wildcards.gathered].location])
        ),
    message:
        "Gathering {wildcards.gathered} of all models in one table"
    script:
        "../scripts/gather.py"


# Where this workflow is a module beside another of it, which then makes what no study decides.
PRINT_MADE_ELSEWHERE = any(
    workflow.modifier.path_modifier.modify(in_print("tables/toy_geometry.csv"))
    in map(str, rule.output)
    for rule in workflow.rules
)

# One rule for each of TABLES (scripts/minimascope/registry.py), table_<name>.
for name, table in registry.TABLES.items():
    if table.of_print_alone and PRINT_MADE_ELSEWHERE:
        continue

    rule:
        name:
            f"table_{name}"
        input:
            **{needed: results(f"tables/{needed}.csv") for needed in table.needs},
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
            **table_params(name),
        message:
            f"Table: {name}"
        script:
            "../scripts/table.py"
