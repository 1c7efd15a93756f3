# From any source to the one prepared format, and corrupted copies of the test split. Official
# archives are downloaded where neither they nor what they unpack to lie in the folder of raw data.
# Generated scenes are written as the official recordings are, so that the same code reads both.


rule download:
    output:
        # No params, so that changed code downloads nothing again.
        archive=local(str(Path(DATA_DIR, "{archive}"))),
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
        disk_mb=lambda wildcards: math.ceil(official_file(wildcards.archive).size / 1e6),
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
        **growing(mem_mb=4000, runtime=60),
    params:
        **source_params("prepare"),
        **named(part=lambda wildcards: STUDY.part_spec(wildcards.dataset)),
    message:
        "Preparing the data set {wildcards.dataset}"
    script:
        "../scripts/prepare.py"


# A further test set, of the data set's classes or of others. Before trainings, so that classes that
# do not fit are told at once.
rule other_set:
    input:
        data=rules.prepare.output.data,
        raw=raw_data,
    output:
        data=results("data/{dataset}/{kind}/{other}.safetensors"),
    log:
        log_of("other_set", "{dataset}/{kind}/{other}"),
    benchmark:
        benchmark_of("other_set", "{dataset}/{kind}/{other}")
    wildcard_constraints:
        kind=one_of(KINDS),
        other=one_of({case["other"] for case in OTHER_SETS}),
    priority: 1
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        **source_params("other_set"),
        **named(part=lambda wildcards: other_part(STUDY, *place_of(wildcards))),
    message:
        "Preparing {wildcards.other}, a test set of {wildcards.dataset}"
    script:
        "../scripts/other_set.py"


rule synthesise:
    output:
        scenes=directory(results("data/{dataset}/scenes")),
    log:
        log_of("synthesise", "{dataset}"),
    benchmark:
        benchmark_of("synthesise", "{dataset}")
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=30),
    params:
        **named(
            code=code("synthesise", lambda wildcards: [registry.SCENES.location]),
            source=lambda wildcards: STUDY.source_spec(wildcards.dataset),
        ),
    message:
        "Synthesising the acoustic scenes of {wildcards.dataset}"
    script:
        "../scripts/synthesise.py"


rule recordings:
    input:
        raw=raw_data,
        scenes=scenes,
    output:
        table=results("data/{dataset}/recordings.csv"),
    log:
        log_of("recordings", "{dataset}"),
    benchmark:
        benchmark_of("recordings", "{dataset}")
    wildcard_constraints:
        dataset=one_of(STUDY.recordings),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=30),
    params:
        **source_params("recordings"),
    message:
        "Listing the recordings of {wildcards.dataset}"
    script:
        "../scripts/recordings.py"


rule features:
    input:
        table=rules.recordings.output.table,
        raw=raw_data,
        scenes=scenes,
    output:
        data=results("data/{dataset}/prepared.safetensors"),
    log:
        log_of("features", "{dataset}"),
    benchmark:
        benchmark_of("features", "{dataset}")
    wildcard_constraints:
        dataset=one_of(STUDY.recordings),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        **growing(mem_mb=16000, runtime=120),
    params:
        **named(
            code=code("features"),
            features=lambda wildcards: STUDY.features_spec(wildcards.dataset),
            part=lambda wildcards: STUDY.part_spec(wildcards.dataset),
        ),
    message:
        "Log-mel features of {wildcards.dataset}"
    script:
        "../scripts/features.py"


rule corrupt:
    input:
        data=rules.prepare.output.data,
        raw=lambda wildcards: official_files(corrupted_set(STUDY, wildcards.dataset)),
    output:
        data=results("data/{dataset}/corrupted/{kind}.safetensors"),
        # One input under all of them, for a picture.
        sample=results("data/{dataset}/corrupted/{kind}.json"),
    log:
        log_of("corrupt", "{dataset}/{kind}"),
    benchmark:
        benchmark_of("corrupt", "{dataset}/{kind}")
    wildcard_constraints:
        dataset=one_of(set(STUDY.config["datasets"]) - set(STUDY.recordings)),
        kind=one_of(KINDS_OF[IMAGES]),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        # The images of a kind, and their bytes as they are written: 7 GB of 64 × 64 pixels.
        **growing(mem_mb=12000, runtime=120),
    params:
        **named(
            code=code(
                "corrupt",
                lambda wildcards: [
                    registry.CORRUPTED_SETS[corrupted_set(STUDY, wildcards.dataset)].location
                ],
            ),
            corruptions=lambda wildcards: corruption_spec(
                STUDY, wildcards.dataset, wildcards.kind
            ),
        ),
    message:
        "Corrupted test images of {wildcards.dataset}: {wildcards.kind}"
    script:
        "../scripts/corrupt.py"


rule corrupt_recordings:
    input:
        table=rules.recordings.output.table,
        raw=raw_data,
        scenes=scenes,
    output:
        data=results("data/{dataset}/corrupted/{kind}.safetensors"),
        sample=results("data/{dataset}/corrupted/{kind}.json"),
    log:
        log_of("corrupt_recordings", "{dataset}/{kind}"),
    benchmark:
        benchmark_of("corrupt_recordings", "{dataset}/{kind}")
    wildcard_constraints:
        dataset=one_of(STUDY.recordings),
        kind=one_of(KINDS_OF[RECORDINGS]),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        # The log-mels of a kind, and their bytes as they are written: 23 GB of DCASE 2020's.
        **growing(mem_mb=32000, runtime=240),
    params:
        **named(
            code=code("corrupt_recordings"),
            corruptions=lambda wildcards: corruption_spec(
                STUDY, wildcards.dataset, wildcards.kind
            ),
            features=lambda wildcards: STUDY.features_spec(wildcards.dataset),
            part=test_part,
            # The same noise and clips for all data sets whose networks are compared.
            stream=lambda wildcards: STUDY.references.get(wildcards.dataset, wildcards.dataset),
        ),
    message:
        "Corrupted test recordings of {wildcards.dataset}: {wildcards.kind}"
    script:
        "../scripts/corrupt_recordings.py"
