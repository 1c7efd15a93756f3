# Small networks that learn analytic toy functions, kept on their way and measured afterwards.
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
