# From any source to one prepared format, and a corrupted copy of the test split.


rule prepare:
    output:
        data=results("data/{dataset}/prepared.safetensors"),
    log:
        log_of("prepare", "{dataset}"),
    benchmark:
        benchmark_of("prepare", "{dataset}")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        spec=prepare_spec,
        data_dir=STUDY.config["data_dir"],
    message:
        "Preparing the data set {wildcards.dataset}"
    script:
        "../scripts/prepare.py"


rule corrupt:
    input:
        data=rules.prepare.output.data,
    output:
        data=results("data/{dataset}/corrupted.safetensors"),
    log:
        log_of("corrupt", "{dataset}"),
    benchmark:
        benchmark_of("corrupt", "{dataset}")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        spec=corrupt_spec,
    message:
        "Corrupting test images of {wildcards.dataset}"
    script:
        "../scripts/corrupt.py"
