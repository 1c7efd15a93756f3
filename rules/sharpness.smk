# One job for each condition measures what takes few passes over its networks' training data; what
# takes many, each network has a job for (`Study.sharpness_jobs`).


for job, families in STUDY.sharpness_jobs.items():

    rule:
        name:
            job
        input:
            data=rules.prepare.output.data,
            models=measured_models(job),
            initial=initial_models(job),
        output:
            **sharpness_outputs(job),
        log:
            log_of(job, measured_by(job)),
        benchmark:
            benchmark_of(job, measured_by(job))
        wildcard_constraints:
            condition=one_of(STUDY.measured),
            view=VIEW,
        conda:
            "../envs/cuda.yaml"
        threads: 1
        resources:
            **growing(mem_mb=16000),
            runtime=minutes_of(job),
            gpu=1,
        params:
            **sharpness_params(job),
        message:
            f"Sharpness ({', '.join(families)}) of {{wildcards.network}} on {{wildcards.dataset}}: "
            "{wildcards.condition}"
            f"{'{wildcards.view}' if job == SHARED else '{wildcards.view}, seed {wildcards.seed}'}"
        script:
            "../scripts/sharpness.py"


# The same of the weights that trainings pass through.
for job, families in moments.trajectory_jobs(STUDY).items():

    rule:
        name:
            job
        input:
            data=rules.prepare.output.data,
            snapshots=measured_snapshots(job),
            initial=initial_models(job),
        output:
            **trajectory_outputs(job),
        log:
            log_of(job, measured_by(job)),
        benchmark:
            benchmark_of(job, measured_by(job))
        wildcard_constraints:
            condition=one_of(STUDY.trained_conditions),
            view=VIEW,
        conda:
            "../envs/cuda.yaml"
        threads: 1
        resources:
            **growing(mem_mb=16000),
            runtime=minutes_of(job),
            gpu=1,
        params:
            **trajectory_params(job),
        message:
            f"Weights on the way ({', '.join(families)}) of {{wildcards.network}} on {{wildcards.dataset}}: "
            "{wildcards.condition}"
            f"{'{wildcards.view}' if job in SHARED_JOBS else '{wildcards.view}, seed {wildcards.seed}'}"
        script:
            "../scripts/trajectory.py"


# A measure of the user's own file, of finished networks and on the way.
rule measure_own:
    input:
        data=rules.prepare.output.data,
        models=measured_models(OWN),
    output:
        measures=f"{MEASURES}.json",
    log:
        log_of(OWN, f"{RUN}/{{family}}{{view}}"),
    benchmark:
        benchmark_of(OWN, f"{RUN}/{{family}}{{view}}")
    wildcard_constraints:
        family=one_of(STUDY.own("sharpness")),
        condition=one_of(STUDY.measured),
        view=VIEW,
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **sharpness_params(OWN),
    message:
        "Measure {wildcards.family} of {wildcards.network} on {wildcards.dataset}: {wildcards.condition}{wildcards.view}, seed {wildcards.seed}"
    script:
        "../scripts/sharpness.py"


rule trajectory_own:
    input:
        data=rules.prepare.output.data,
        snapshots=measured_snapshots(OWN_ON_THE_WAY),
    output:
        measures=f"{TRAJECTORY}.json",
    log:
        log_of(OWN_ON_THE_WAY, f"{RUN}/{{family}}{{view}}"),
    benchmark:
        benchmark_of(OWN_ON_THE_WAY, f"{RUN}/{{family}}{{view}}")
    wildcard_constraints:
        family=one_of(moments.own_on_the_way(STUDY)),
        condition=one_of(STUDY.trained_conditions),
        view=VIEW,
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **trajectory_params(OWN_ON_THE_WAY),
    message:
        "Weights on the way ({wildcards.family}) of {wildcards.network} on {wildcards.dataset}: {wildcards.condition}{wildcards.view}, seed {wildcards.seed}"
    script:
        "../scripts/trajectory.py"


rule interpolate:
    input:
        data=rules.prepare.output.data,
        models=lambda wildcards: [
            path
            for condition, seed in between.networks(STUDY, int(wildcards.seed))
            for path in filled(
                model_of(condition), [{**wildcards, "condition": condition, "seed": seed}]
            )
        ],
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
            code=code("interpolate", lambda wildcards: network_code(wildcards.network)),
            interpolation=STUDY.interpolation,
            models=lambda wildcards: between.networks(STUDY, int(wildcards.seed)),
            lines=lambda wildcards: between.lines(STUDY, int(wildcards.seed)),
            **unusual_loss(),
        ),
    message:
        "Loss between networks: {wildcards.network} on {wildcards.dataset}, seed {wildcards.seed}"
    script:
        "../scripts/interpolate.py"
