# Predictions of the networks of a condition, and what follows from those of all together.


rule evaluate:
    input:
        data=rules.prepare.output.data,
        models=seeds_in(MODEL),
        corrupted=corrupted_copies,
        others=other_sets,
    output:
        measures=seeds_in(results(f"measures/{RUN}/evaluation.json")),
        predictions=seeds_in(PREDICTIONS),
        # Here, since each corrupted copy is then predicted only once.
        ensemble=results(f"measures/{CONDITION}/ensemble.json"),
        shares=results(f"measures/{CONDITION}/ensemble.npz"),
    log:
        log_of("evaluate", CONDITION),
    benchmark:
        benchmark_of("evaluate", CONDITION)
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **named(
            code=code("evaluate", evaluation_code),
            seeds=STUDY.seeds,
            augment=test_augment,
        ),
    message:
        "Evaluating {wildcards.network} on {wildcards.dataset}: {wildcards.condition}"
    script:
        "../scripts/evaluate.py"


# Attacks on the inputs of a network; those on one of another seed are tried on it, too.
rule attack:
    input:
        data=rules.prepare.output.data,
        model=MODEL,
        other=model_of_next_seed,
    output:
        measures=results(f"measures/{RUN}/adversarial.json"),
        arrays=results(f"measures/{RUN}/adversarial.npz"),
    log:
        log_of("attack", RUN),
    benchmark:
        benchmark_of("attack", RUN)
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **named(
            code=code("attack", lambda wildcards: network_code(wildcards.network)),
            adversarial=STUDY.config["evaluation"]["adversarial"],
            recordings=lambda wildcards: STUDY.has_recordings(wildcards.dataset),
        ),
    message:
        "Attacking {wildcards.network} on {wildcards.dataset}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/attack.py"


# An evaluation of the user's own file.
rule evaluate_own:
    input:
        data=rules.prepare.output.data,
        model=MODEL,
        predictions=PREDICTIONS,
    output:
        measures=results(f"measures/{RUN}/{{evaluation}}.json"),
    log:
        log_of("evaluate_own", f"{RUN}/{{evaluation}}"),
    benchmark:
        benchmark_of("evaluate_own", f"{RUN}/{{evaluation}}")
    wildcard_constraints:
        evaluation=one_of(STUDY.own("evaluations")),
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **named(
            code=code("evaluate_own", own_evaluation_code),
            options=lambda wildcards: STUDY.own("evaluations")[wildcards.evaluation],
        ),
    message:
        "Evaluation {wildcards.evaluation} of {wildcards.network} on {wildcards.dataset}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/evaluate_own.py"


# Several networks of the same seeds together.
rule network_ensembles:
    input:
        models=lambda wildcards: (
            models_together(wildcards, MODEL) if corrupted_copies(wildcards) else []
        ),
        predictions=lambda wildcards: models_together(wildcards, PREDICTIONS),
        corrupted=corrupted_copies,
    output:
        ensembles=NETWORK_ENSEMBLES,
    log:
        log_of("network_ensembles", "{dataset}/{condition}"),
    benchmark:
        benchmark_of("network_ensembles", "{dataset}/{condition}")
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
        gpu=1,
    params:
        **named(
            code=code("network_ensembles", together_code),
            networks=lambda wildcards: STUDY.network_ensembles[wildcards.dataset],
            bins=STUDY.config["evaluation"]["ece_bins"],
        ),
    message:
        "Ensembles over networks on {wildcards.dataset}: {wildcards.condition}"
    script:
        "../scripts/network_ensembles.py"


rule probabilities:
    input:
        predictions=filled(PREDICTIONS, RUNS),
        corrupted=filled(rules.evaluate.output.ensemble, CONDITIONS),
        shares=filled(rules.evaluate.output.shares, CONDITIONS),
    output:
        **({"ensembles": results("tables/ensembles.csv")} if STUDY.has_ensembles else {}),
        **(
            {"shifted": results("tables/shifted_accuracies.csv")}
            if STUDY.has_others("shifted")
            else {}
        ),
        **({"unseen": results("tables/unseen_scores.csv")} if STUDY.has_others("unseen") else {}),
        calibration=results("tables/calibration.csv"),
        reliability=results("tables/reliability.csv"),
        risk_coverage=results("tables/risk_coverage.csv"),
    log:
        log_of("probabilities"),
    benchmark:
        benchmark_of("probabilities")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=30),
    params:
        **named(code=code("probabilities"), bins=STUDY.config["evaluation"]["ece_bins"]),
    message:
        "Calibration of all models, and ensembles of the seeds of each condition"
    script:
        "../scripts/probabilities.py"


rule disagreement:
    input:
        predictions=filled(PREDICTIONS, RUNS),
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
