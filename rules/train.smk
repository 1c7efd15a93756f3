# Initial weights are files of their own: every condition of a seed starts from the same one.


rule initialise:
    input:
        data=rules.prepare.output.data,
        weights=pretrained_weights,
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
        mem_mb=growing(8000),
        runtime=growing(10),
    params:
        spec=initialise_spec,
    message:
        "Drawing initial weights of {wildcards.network} for seed {wildcards.seed}"
    script:
        "../scripts/initialise.py"


rule train:
    input:
        data=rules.prepare.output.data,
        initial=rules.initialise.output.model,
    output:
        model=results(f"models/{RUN}/model.safetensors"),
        history=results(f"models/{RUN}/history.csv"),
    log:
        log_of("train", RUN),
    benchmark:
        benchmark_of("train", RUN)
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=1,
    params:
        spec=train_spec,
        # No output: Snakemake removes outputs of an interrupted job, and this is what it
        # continues from.
        checkpoint=checkpoint_beside,
    message:
        "Training {wildcards.network} on {wildcards.dataset}: {wildcards.condition}, seed {wildcards.seed}"
    script:
        "../scripts/train.py"
