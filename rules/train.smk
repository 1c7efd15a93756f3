# Initial weights are files of their own: every condition of a seed starts from the same one. Of a network
# that was trained elsewhere they say what it is.


rule initialise:
    input:
        data=rules.prepare.output.data,
        weights=initial_weights,
    output:
        model=results("models/{dataset}/{network}/initial/seed{seed}.safetensors"),
    log:
        log_of("initialise", "{dataset}/{network}/seed{seed}"),
    benchmark:
        benchmark_of("initialise", "{dataset}/{network}/seed{seed}")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=8000, runtime=10),
    params:
        **named(
            code=code("initialise", lambda wildcards: network_code(wildcards.network)),
            # The file of weights is an input of the job, not a part of the network.
            network=lambda wildcards: {
                key: value
                for key, value in STUDY.network_spec(wildcards.network).items()
                if key != "weights" and (value or key != "new_head")
            },
            # Where published weights are looked for that the study names no file of.
            data_dir=lambda wildcards: (
                DATA_DIR
                if architecture_of(wildcards) in registry.FIND_WEIGHTS
                and not initial_weights(wildcards)
                else None
            ),
            normalize=lambda wildcards: STUDY.input_spec(wildcards.dataset),
        ),
    message:
        "Drawing initial weights of {wildcards.network} for seed {wildcards.seed}"
    script:
        "../scripts/initialise.py"


rule train:
    input:
        data=rules.prepare.output.data,
        initial=rules.initialise.output.model,
        weights=own_weights,
    output:
        **({"snapshots": expand(SNAPSHOT, moment=KEPT, allow_missing=True)} if KEPT else {}),
        model=MODEL,
        history=results(f"models/{RUN}/history.csv"),
    log:
        log_of("train", RUN),
    benchmark:
        benchmark_of("train", RUN)
    wildcard_constraints:
        condition=one_of(STUDY.trained_conditions),
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=240),
        gpu=1,
    params:
        **named(
            code=code("train", training_code),
            training=training_settings,
            label_noise=label_noise,
        ),
        # No output: Snakemake removes outputs of an interrupted job, and this is what it
        # continues from. Beside the model, wherever a module's prefix puts that.
        checkpoint=lambda wildcards, output: str(
            Path(output.model).with_name("checkpoint.safetensors")
        ),
    message:
        "Training {wildcards.network} on {wildcards.dataset}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/train.py"


# In place of a training: the weights of a network that was trained elsewhere.
rule adopt:
    input:
        data=rules.prepare.output.data,
        initial=rules.initialise.output.model,
        checkpoint=adopted_file("checkpoint"),
        started=adopted_file("initial"),
    output:
        model=MODEL,
        about=results(f"models/{RUN}/adopted.json"),
    log:
        log_of("adopt", RUN),
    benchmark:
        benchmark_of("adopt", RUN)
    wildcard_constraints:
        condition=one_of(STUDY.adopted_conditions),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=8000, runtime=60),
    params:
        **named(
            code=code("adopt", lambda wildcards: network_code(wildcards.network)),
            # The files are inputs of the job.
            adopted=lambda wildcards: {
                key: value
                for key, value in STUDY.adopted[wildcards.dataset, wildcards.condition].items()
                if key in ("key", "classes", "normalize")
            },
        ),
    message:
        "Adopting {wildcards.network} on {wildcards.dataset}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/adopt.py"
