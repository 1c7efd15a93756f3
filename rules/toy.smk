# Small networks that learn analytic toy functions, kept on their way and measured afterwards.
TOYS = STUDY.config["toy_fits"]
TOY = "{function}-{seed}"


rule toy_fits:
    output:
        networks=results(f"models/toy_fits/{TOY}.safetensors"),
    log:
        log_of("toy_fits", TOY),
    benchmark:
        benchmark_of("toy_fits", TOY)
    wildcard_constraints:
        function=one_of(sorted({case["function"] for case in toy_jobs(STUDY)})),
        seed=one_of(sorted({str(case["seed"]) for case in toy_jobs(STUDY)})),
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=8000, runtime=480),
        gpu=1,
    params:
        **named(
            code=code("toy_fits"),
            fits=lambda wildcards: {
                key: TOYS[key] if key != "epochs" else sorted(TOYS[key])
                for key in ("points", "width", "lr", "epochs", "losses")
            },
            learnt=lambda wildcards: toys_of(STUDY, wildcards.function, wildcards.seed),
            at_once=lambda wildcards: TOYS["at_once"],
        ),
        # How the names of the states begin that an interrupted or a longer training continues from: no
        # outputs, which Snakemake removes before a job, and beside one, as for a training.
        state=lambda wildcards, output: str(Path(output.networks).with_suffix("")) + "-state",
    message:
        "Networks learn toy functions: {wildcards.function}, seed {wildcards.seed}"
    script:
        "../scripts/toy_fits.py"


rule toy_sharpness:
    input:
        networks=rules.toy_fits.output.networks,
    output:
        measures=results(f"measures/toy_fits/{TOY}.json"),
    log:
        log_of("toy_sharpness", TOY),
    benchmark:
        benchmark_of("toy_sharpness", TOY)
    wildcard_constraints:
        function=one_of(sorted({case["function"] for case in toy_jobs(STUDY)})),
        seed=one_of(sorted({str(case["seed"]) for case in toy_jobs(STUDY)})),
    conda:
        "../envs/cuda.yaml"
    threads: 1
    resources:
        **growing(mem_mb=8000, runtime=240),
        gpu=1,
    params:
        **named(
            code=code("toy_sharpness"),
            settings=lambda wildcards: {
                key: TOYS[key] for key in ("test_points", "radii", "perturbations", "dtype")
            },
        ),
    message:
        "Sharpness of networks that learn toy functions: {wildcards.function}, seed {wildcards.seed}"
    script:
        "../scripts/toy_sharpness.py"
