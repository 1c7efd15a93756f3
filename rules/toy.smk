# Analytic toy functions: no training, an exact check of the curvature code against print.


rule toy_geometry:
    output:
        table=results("tables/toy_geometry.csv"),
        html=results("tables/toy_geometry.html"),
        figure=results("figures/toy_geometry.svg"),
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


# Small networks that learn these functions, kept on their way and measured afterwards.
rule toy_fits:
    output:
        networks=results("models/toy_fits/{part}.safetensors"),
    log:
        log_of("toy_fits", "{part}"),
    benchmark:
        benchmark_of("toy_fits", "{part}")
    wildcard_constraints:
        part=one_of(STUDY.toy_parts),
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
        gpu=1,
    params:
        spec=toy_fits_spec,
        # No output, as for a training.
        checkpoint=checkpoints_of_fits,
    message:
        "Networks learn toy functions: {wildcards.part}"
    script:
        "../scripts/toy_fits.py"


rule toy_sharpness:
    input:
        networks=rules.toy_fits.output.networks,
    output:
        measures=results("measures/toy_fits/{part}.json"),
    log:
        log_of("toy_sharpness", "{part}"),
    benchmark:
        benchmark_of("toy_sharpness", "{part}")
    wildcard_constraints:
        part=one_of(STUDY.toy_parts),
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=1,
    params:
        spec=toy_sharpness_spec,
    message:
        "Sharpness of networks that learn toy functions: {wildcards.part}"
    script:
        "../scripts/toy_sharpness.py"


rule toy_tables:
    input:
        measures=expand(rules.toy_sharpness.output.measures, part=STUDY.toy_parts),
    output:
        table=results("tables/toy_fits.csv"),
        summary=results("tables/toy_fits_summary.csv"),
        markdown=results("tables/toy_fits.md"),
        html=results("tables/toy_fits.html"),
        figures=expand(results("figures/toy_fits-{figure}.svg"), figure=TOY_FIGURES),
    log:
        log_of("toy_tables"),
    benchmark:
        benchmark_of("toy_tables")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=toy_tables_spec(),
    message:
        "Tables and figures of networks that learn toy functions"
    script:
        "../scripts/toy_tables.py"
