from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

# Only where no study is named: Snakemake would merge two studies into one.
if not workflow.config_settings.configfiles:

    configfile: Path(str(workflow.current_basedir)) / "config.yaml"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/products.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/sharpness.smk"
include: "rules/evaluate.smk"
include: "rules/toy.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


wildcard_constraints:
    dataset=one_of(STUDY.config["datasets"]),
    network=one_of(STUDY.config["networks"]),
    condition=one_of(STUDY.conditions),
    seed=r"\d+",


# The jobs that the study consists of, as the wildcards of each rule.
PLOTS = {plot_rule(subject): every() for subject in FIGURES_OF}
JOBS = {
    "prepare": every(dataset=set(STUDY.config["datasets"]) - set(STUDY.recordings)),
    "synthesise": every(dataset=SYNTHETIC),
    "recordings": every(dataset=STUDY.recordings),
    "features": every(dataset=STUDY.recordings),
    "corrupt": [case for case in CORRUPTED if case["dataset"] not in STUDY.recordings],
    "corrupt_recordings": [case for case in CORRUPTED if case["dataset"] in STUDY.recordings],
    "other_set": OTHER_SETS,
    "initialise": every_pair(seed=STUDY.seeds),
    "train": TRAININGS,
    "adopt": ADOPTIONS,
    "evaluate": CONDITIONS,
    "network_ensembles": TOGETHER,
    "attack": ATTACKED,
    "evaluate_own": OWN_EVALUATED,
    OWN: OWN_MEASURED,
    **{job: measured_cases(job) for job in STUDY.sharpness_jobs},
    **{job: trained_cases(job) for job in moments.trajectory_jobs(STUDY)},
    OWN_ON_THE_WAY: [
        case for family in moments.own_on_the_way(STUDY) for case in trajectory_cases(family)
    ],
    "interpolate": INTERPOLATIONS,
    **dict.fromkeys(("probabilities", "disagreement", "collect"), every() if STUDY.pairs else []),
    **dict.fromkeys(("toy_fits", "toy_sharpness"), toy_jobs(STUDY)),
    "gather": every(gathered=products.gathered(STUDY)),
    "tables": every() if STUDY_TABLES else [],
    **PLOTS,
}


onstart:
    begin_run()


rule all:
    input:
        rules.report.output,
        PUBLISHED_WANTED,
        # Snakemake forgets what a failed job was to make, unless someone asks for it.
        outputs_of(JOBS),
    localrule: True


# Published results: `make run` makes them first, so that two studies can run at the same time.
rule published:
    input:
        PUBLISHED_FILES,
    localrule: True
