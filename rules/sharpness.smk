# One rule per family of measures: what one pass, or one kind of work, computes together.


rule forward:
    input:
        data=rules.prepare.output.data,
        model=lambda wildcards: model_of(wildcards, wildcards.condition),
    output:
        measures=results(f"measures/{RUN}/forward{{view}}.json"),
    log:
        log_of("forward", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("forward", f"{RUN}{{view}}")
    wildcard_constraints:
        condition=one_of(STUDY.measured),
        view=VIEW,
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=30),
        gpu=1,
    params:
        **family_params("forward"),
    message:
        "Sharpness from a forward pass: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"


use rule forward as perturbation with:
    output:
        measures=results(f"measures/{RUN}/perturbation{{view}}.json"),
    log:
        log_of("perturbation", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("perturbation", f"{RUN}{{view}}")
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **family_params("perturbation"),
    message:
        "Sharpness from perturbations: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"


use rule forward as hessian with:
    output:
        measures=results(f"measures/{RUN}/hessian{{view}}.json"),
        arrays=results(f"measures/{RUN}/hessian{{view}}.npz"),
    log:
        log_of("hessian", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("hessian", f"{RUN}{{view}}")
    resources:
        **growing(mem_mb=16000, runtime=240),
        gpu=1,
    params:
        **family_params("hessian"),
    message:
        "Curvature of the loss: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"


use rule hessian as landscape with:
    output:
        measures=results(f"measures/{RUN}/landscape{{view}}.json"),
        arrays=results(f"measures/{RUN}/landscape{{view}}.npz"),
    log:
        log_of("landscape", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("landscape", f"{RUN}{{view}}")
    params:
        **family_params("landscape"),
    message:
        "Loss landscape: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"


# The networks that lines and planes lead through, by name.
INTERPOLATED = sorted(
    {
        condition
        for kind in ("lines", "planes")
        for path in (STUDY.interpolation or {}).get(kind, [])
        for condition in path
    }
)


rule interpolate:
    input:
        data=rules.prepare.output.data,
        models=lambda wildcards: [model_of(wildcards, condition) for condition in INTERPOLATED],
    output:
        measures=results("interpolation/{dataset}/{network}/seed{seed}.json"),
        arrays=results("interpolation/{dataset}/{network}/seed{seed}.npz"),
    log:
        log_of("interpolate", "{dataset}/{network}/seed{seed}"),
    benchmark:
        benchmark_of("interpolate", "{dataset}/{network}/seed{seed}")
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **named(
            code=code("interpolate", network_code),
            interpolation=STUDY.interpolation,
            models=INTERPOLATED,
        ),
    message:
        "Loss between networks: {wildcards.network}, seed {wildcards.seed}"
    script:
        "../scripts/interpolate.py"
