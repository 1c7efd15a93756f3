# From one JSON per model and family to tidy tables, and from these to all others.


rule collect:
    input:
        evaluations=documents("evaluation", EVALUATED),
        documents=[
            *documents("evaluation", EVALUATED),
            *(
                path
                for family in STUDY.families
                for path in documents(family, measured_of(family))
            ),
            *filled(rules.attack.output.measures, ATTACKED),
            *filled(rules.evaluate_own.output.measures, OWN_EVALUATED),
        ],
        calibration=rules.probabilities.output.calibration,
        histories=filled(rules.train.output.history, TRAININGS),
    output:
        **({"history": results("tables/history.csv")} if TRAININGS else {}),
        **({"corruptions": results("tables/corruption_accuracies.csv")} if CORRUPTED else {}),
        measures=results("tables/measures.csv"),
        networks=results("tables/networks.csv"),
        provenance=results("tables/provenance.csv"),
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
        **named(code=code("collect"), trained=STUDY.config["analysis"]["trained"]),
    message:
        "Collecting all measures in one table"
    script:
        "../scripts/collect.py"


# The models whose documents, and arrays where it needs them, a table is gathered of.
TOYS_LEARNT = filled(rules.toy_sharpness.output.measures, toy_jobs(STUDY))
PAIRS_MEASURED = [
    case
    for case in (measured_of("landscape") if "landscape" in STUDY.families else [])
    if case["condition"] != registry.INITIAL
]
ON_THE_WAY = moments.families_on_the_way(STUDY)
PATHS = trajectory_cases("path") if "path" in ON_THE_WAY else []
RECORDED = [case for case in EVALUATED if case["dataset"] in STUDY.with_domains]
INTERPOLATIONS = every_pair(seed=between.interpolated_seeds(STUDY))
GATHERED_OF = {
    "toy_fits": {"documents": TOYS_LEARNT},
    "asc_pairs": {"documents": documents("landscape", PAIRS_MEASURED)},
    "domains": {"documents": documents("evaluation", RECORDED)},
    "domain_measures": {
        "documents": [
            path
            for dataset in STUDY.with_domains
            for family in STUDY.families_by_domain(dataset)
            for path in documents(
                family, [case for case in measured_of(family) if case["dataset"] == dataset]
            )
        ]
    },
    "snapshots": {
        "documents": [
            path
            for family in ON_THE_WAY
            for path in filled(f"{TRAJECTORY}.json", trajectory_cases(family))
        ]
    },
    "path": {
        kind: filled(f"{TRAJECTORY}.{end}", PATHS)
        for kind, end in (("documents", "json"), ("arrays", "npz"))
    },
    "adopted": {"documents": filled(rules.adopt.output.about, ADOPTIONS)},
    "network_ensembles": {"documents": filled(NETWORK_ENSEMBLES, TOGETHER)},
    "corrupted_samples": {"documents": filled(rules.corrupt.output.sample, CORRUPTED)},
    **{
        table: {
            "documents": documents(family, measured_of(family)),
            "arrays": documents(family, measured_of(family), "npz"),
        }
        for table, family in products.FAMILY_OF.items()
        if family in STUDY.families
    },
    "barriers": {"documents": filled(rules.interpolate.output.measures, INTERPOLATIONS)},
    "interpolation": {
        kind: filled(pattern, INTERPOLATIONS)
        for kind, pattern in (
            ("documents", rules.interpolate.output.measures),
            ("arrays", rules.interpolate.output.arrays),
        )
    },
}


rule gather:
    input:
        unpack(lambda wildcards: GATHERED_OF[wildcards.gathered]),
    output:
        table=results("tables/{gathered}.csv"),
    log:
        log_of("gather", "{gathered}"),
    benchmark:
        benchmark_of("gather", "{gathered}")
    wildcard_constraints:
        gathered=one_of(tables_and_figures.GATHERED),
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        **named(
            code=code(
                "gather",
                lambda wildcards: [tables_and_figures.GATHERED[wildcards.gathered].location],
            )
        ),
    message:
        "Gathering {wildcards.gathered} of all models in one table"
    script:
        "../scripts/gather.py"


# Each table of scripts/minimascope/tables_and_figures.py that the study has, with what readers see of it.
rule tables:
    input:
        **{name: results(f"tables/{name}.csv") for name in needed_by(STUDY_TABLES)},
    output:
        **reported_tables(table_outputs(STUDY_TABLES, results)),
    log:
        log_of("tables"),
    benchmark:
        benchmark_of("tables")
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        **table_params(STUDY_TABLES),
    message:
        "Tables of all models"
    script:
        "../scripts/tables.py"


# Where this workflow is a module beside another of it, which then makes what no study decides.
PUBLISHED_MADE_ELSEWHERE = any(
    workflow.modifier.path_modifier.modify(published("tables/toy_geometry.csv"))
    in map(str, rule.output)
    for rule in workflow.rules
)

if not PUBLISHED_MADE_ELSEWHERE:

    use rule tables as published_tables with:
        input:
            [],
        output:
            **reported_tables(table_outputs(PUBLISHED_TABLES, published)),
        log:
            published("logs/published_tables/all.log"),
        benchmark:
            published("benchmarks/published_tables/all.tsv")
        localrule: True
        params:
            **table_params(PUBLISHED_TABLES),
        message:
            "Tables of published results"
