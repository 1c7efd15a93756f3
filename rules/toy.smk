# Small networks that learn analytic toy functions, kept on their way and measured afterwards.
TOYS = STUDY.config["toy_fits"]


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
        **growing(mem_mb=8000, runtime=480),
        gpu=1,
    params:
        **named(
            code=code("toy_fits"),
            fits=lambda wildcards: {
                key: TOYS[key] if key != "epochs" else sorted(TOYS[key])
                for key in ("points", "width", "lr", "epochs", "losses")
            },
            functions=lambda wildcards: STUDY.toy_functions_of(wildcards.part),
            seeds=STUDY.seeds,
            at_once=lambda wildcards: TOYS["at_once"],
        ),
        # How the checkpoints begin: no outputs, and beside one, as for a training.
        checkpoint=lambda wildcards, output: str(Path(output.networks).with_suffix(""))
        + "-checkpoint",
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
        **growing(mem_mb=8000, runtime=240),
        gpu=1,
    params:
        **named(
            code=code("toy_sharpness"),
            settings=lambda wildcards: {
                key: TOYS[key] for key in ("test_points", "radii", "perturbations", "dtype")
            },
        ),
    message:
        "Sharpness of networks that learn toy functions: {wildcards.part}"
    script:
        "../scripts/toy_sharpness.py"
