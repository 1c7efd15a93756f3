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
        **growing(mem_mb=16000, runtime=60),
        gpu=1,
    params:
        **named(
            code=code("evaluate", network_code),
            augment=lambda wildcards: STUDY.test_augmentation(
                wildcards.dataset, wildcards.condition
            ),
        ),
    message:
        "Evaluating {wildcards.network}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/evaluate.py"


rule calibrate:
    input:
        predictions=filled(rules.evaluate.output.predictions, RUNS),
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
        **growing(mem_mb=4000, runtime=30),
    params:
        **named(code=code("calibrate"), bins=STUDY.config["evaluation"]["ece_bins"]),
    message:
        "Calibration of all models"
    script:
        "../scripts/calibrate.py"


rule disagreement:
    input:
        predictions=filled(rules.evaluate.output.predictions, RUNS),
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
        **growing(mem_mb=4000, runtime=30),
    params:
        **named(code=code("disagreement")),
    message:
        "Disagreement between all models"
    script:
        "../scripts/disagreement.py"


rule corrupted_ensemble:
    input:
        corrupted=corrupted_copies,
        models=lambda wildcards: filled(
            rules.train.output.model, [{**wildcards, "seed": seed} for seed in STUDY.seeds]
        ),
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
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **named(code=code("corrupted_ensemble", network_code)),
    message:
        "Ensemble of {wildcards.network} on corrupted copies: {wildcards.condition}"
    script:
        "../scripts/corrupted_ensemble.py"


rule ensembles:
    input:
        corrupted=filled(rules.corrupted_ensemble.output.measures, ENSEMBLES_ON_COPIES),
        predictions=filled(rules.evaluate.output.predictions, RUNS),
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
        **growing(mem_mb=4000, runtime=30),
    params:
        **named(code=code("ensembles"), bins=STUDY.config["evaluation"]["ece_bins"]),
    message:
        "Ensembles of the seeds of each condition"
    script:
        "../scripts/ensembles.py"
