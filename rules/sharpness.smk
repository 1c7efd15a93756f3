# One rule per family of measures: what one pass, or one kind of work, computes together.


rule forward:
    input:
        data=rules.prepare.output.data,
        model=rules.train.output.model,
    output:
        measures=results(f"measures/{RUN}/forward.json"),
    log:
        log_of("forward", RUN),
    benchmark:
        benchmark_of("forward", RUN)
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=30,
        gpu=1,
    params:
        spec=forward_spec,
    message:
        "Sharpness from a forward pass: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"


rule perturbation:
    input:
        data=rules.prepare.output.data,
        model=rules.train.output.model,
    output:
        measures=results(f"measures/{RUN}/perturbation.json"),
    log:
        log_of("perturbation", RUN),
    benchmark:
        benchmark_of("perturbation", RUN)
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    params:
        spec=perturbation_spec,
    message:
        "Sharpness from perturbations: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"
