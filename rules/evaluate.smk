# Predictions of each model, and what follows from those of all models together.


rule evaluate:
    input:
        data=rules.prepare.output.data,
        model=rules.train.output.model,
        corrupted=corrupted_copies,
    output:
        measures=results(f"measures/{RUN}/evaluation.json"),
        predictions=results(f"measures/{RUN}/predictions.safetensors"),
    log:
        log_of("evaluate", RUN),
    benchmark:
        benchmark_of("evaluate", RUN)
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(60),
        gpu=1,
    params:
        spec=evaluate_spec,
    message:
        "Evaluating {wildcards.network}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/evaluate.py"


rule calibrate:
    input:
        predictions=every_run(rules.evaluate.output.predictions),
    output:
        calibration=results("tables/calibration.csv"),
        reliability=results("tables/reliability.csv"),
    log:
        log_of("calibrate"),
    benchmark:
        benchmark_of("calibrate")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        spec=job_spec("calibrate", bins=STUDY.config["evaluation"]["ece_bins"]),
    message:
        "Calibration of all models"
    script:
        "../scripts/calibrate.py"


rule disagreement:
    input:
        predictions=every_run(rules.evaluate.output.predictions),
    output:
        table=results("tables/disagreement.csv"),
    log:
        log_of("disagreement"),
    benchmark:
        benchmark_of("disagreement")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        spec=job_spec("disagreement"),
    message:
        "Disagreement between all models"
    script:
        "../scripts/disagreement.py"


rule corrupted_ensemble:
    input:
        corrupted=corrupted_copies,
        models=members_of_ensemble,
    output:
        measures=results("measures/{dataset}/{network}/{condition}/ensemble.json"),
    log:
        log_of("corrupted_ensemble", "{dataset}/{network}/{condition}"),
    benchmark:
        benchmark_of("corrupted_ensemble", "{dataset}/{network}/{condition}")
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
        gpu=1,
    params:
        spec=corrupted_ensemble_spec,
    message:
        "Ensemble of {wildcards.network} on corrupted copies: {wildcards.condition}"
    script:
        "../scripts/corrupted_ensemble.py"


rule ensembles:
    input:
        corrupted=corrupted_ensembles(),
        predictions=every_run(rules.evaluate.output.predictions),
    output:
        table=results("tables/ensembles.csv"),
    log:
        log_of("ensembles"),
    benchmark:
        benchmark_of("ensembles")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        spec=job_spec("ensembles", bins=STUDY.config["evaluation"]["ece_bins"]),
    message:
        "Ensembles of the seeds of each condition"
    script:
        "../scripts/ensembles.py"
