# One rule per family of measures: what one pass, or one kind of work, computes together.


rule forward:
    input:
        data=rules.prepare.output.data,
        model=measured_model,
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
        mem_mb=growing(16000),
        runtime=growing(30),
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
        model=measured_model,
    output:
        measures=results(f"measures/{RUN}/perturbation{{view}}.json"),
    log:
        log_of("perturbation", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("perturbation", f"{RUN}{{view}}")
    wildcard_constraints:
        condition=one_of(STUDY.measured),
        view=VIEW,
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
        gpu=1,
    params:
        spec=perturbation_spec,
    message:
        "Sharpness from perturbations: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"


rule hessian:
    input:
        data=rules.prepare.output.data,
        model=measured_model,
    output:
        measures=results(f"measures/{RUN}/hessian{{view}}.json"),
        arrays=results(f"measures/{RUN}/hessian{{view}}.npz"),
    log:
        log_of("hessian", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("hessian", f"{RUN}{{view}}")
    wildcard_constraints:
        condition=one_of(STUDY.measured),
        view=VIEW,
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=1,
    params:
        spec=hessian_spec,
    message:
        "Curvature of the loss: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"


rule landscape:
    input:
        data=rules.prepare.output.data,
        model=measured_model,
    output:
        measures=results(f"measures/{RUN}/landscape{{view}}.json"),
        arrays=results(f"measures/{RUN}/landscape{{view}}.npz"),
    log:
        log_of("landscape", f"{RUN}{{view}}"),
    benchmark:
        benchmark_of("landscape", f"{RUN}{{view}}")
    wildcard_constraints:
        condition=one_of(STUDY.measured),
        view=VIEW,
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=1,
    params:
        spec=landscape_spec,
    message:
        "Loss landscape: {wildcards.network}, {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"


rule interpolate:
    input:
        data=rules.prepare.output.data,
        models=interpolated_models,
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
        mem_mb=growing(16000),
        runtime=growing(120),
        gpu=1,
    params:
        spec=interpolate_spec,
    message:
        "Loss between networks: {wildcards.network}, seed {wildcards.seed}"
    script:
        "../scripts/interpolate.py"
