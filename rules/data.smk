# From any source of images to the one prepared format, and corrupted copies of the test split.
# Official archives are downloaded where neither they nor what they unpack to lie in the folder of
# raw data.


rule download:
    output:
        # No params: what was fetched and checked once is fetched again for nothing.
        archive=raw_file(Path(DATA_DIR, "{archive}")),
    log:
        log_of("download", "{archive}"),
    benchmark:
        benchmark_of("download", "{archive}")
    wildcard_constraints:
        archive=one_of(file.name for files in OFFICIAL.values() for file in files),
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        disk_mb=download_size,
        runtime=600,
    message:
        "Downloading {wildcards.archive} ({resources.disk_mb} MB)"
    script:
        "../scripts/download.py"


rule prepare:
    input:
        raw=raw_data,
    output:
        data=results("data/{dataset}/prepared.safetensors"),
    log:
        log_of("prepare", "{dataset}"),
    benchmark:
        benchmark_of("prepare", "{dataset}")
    wildcard_constraints:
        dataset=one_of(set(STUDY.config["datasets"]) - set(STUDY.recordings)),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        spec=prepare_spec,
    message:
        "Preparing the data set {wildcards.dataset}"
    script:
        "../scripts/prepare.py"


rule corrupt:
    input:
        data=rules.prepare.output.data,
        raw=raw_corrupted_set,
    output:
        data=results("data/{dataset}/corrupted/{corruption}.safetensors"),
    log:
        log_of("corrupt", "{dataset}/{corruption}"),
    benchmark:
        benchmark_of("corrupt", "{dataset}/{corruption}")
    wildcard_constraints:
        corruption=one_of(CORRUPTIONS),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        spec=corrupt_spec,
    message:
        "Corrupted test images of {wildcards.dataset}: {wildcards.corruption}"
    script:
        "../scripts/corrupt.py"
