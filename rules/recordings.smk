# From recordings to log-mel features in the one prepared format. Generated scenes are written as the
# official data are, so that the same code reads both.


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
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        spec=synthesise_spec,
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
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        spec=recordings_spec,
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
    threads: 2
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
    params:
        spec=features_spec,
    message:
        "Log-mel features of {wildcards.dataset}"
    script:
        "../scripts/features.py"
