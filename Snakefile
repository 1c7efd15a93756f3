from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

# Only where no study is named: Snakemake would merge two studies into one.
if not workflow.config_settings.configfiles:

    configfile: Path(str(workflow.current_basedir)) / "config.yaml"


include: "rules/common.smk"
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


# The jobs that the study consists of, as the wildcards of each rule; tables have no wildcards.
FIGURES = {
    "plot": [
        {"subject": subject, "figure": figure}
        for subject, names in FIGURES_OF.items()
        for figure in names
    ],
    "plot_interactive": every_pair() if "landscape" in STUDY.families else [],
}
JOBS = {
    "prepare": every(dataset=set(STUDY.config["datasets"]) - set(STUDY.recordings)),
    "synthesise": every(dataset=SYNTHETIC),
    "recordings": every(dataset=STUDY.recordings),
    "features": every(dataset=STUDY.recordings),
    "corrupt": CORRUPTED,
    "initialise": every_pair(seed=STUDY.seeds),
    "train": RUNS,
    "evaluate": RUNS,
    **{family: MEASURED for family in STUDY.families},
    "interpolate": every_pair(seed=STUDY.seeds) if STUDY.interpolation else [],
    **dict.fromkeys(("calibrate", "disagreement", "collect"), every() if STUDY.pairs else []),
    "corrupted_ensemble": ENSEMBLES_ON_COPIES if STUDY.has_ensembles else [],
    "ensembles": every() if STUDY.has_ensembles else [],
    "toy_fits": every(part=STUDY.toy_parts),
    "toy_sharpness": every(part=STUDY.toy_parts),
    "gather": every(gathered=STUDY.gathered),
    **FIGURES,
}


onstart:
    begin_run()


rule all:
    input:
        rules.report.output,
        TABLE_FILES,
        PRINTED_FIGURE_FILES,
        # Snakemake forgets what a failed job was to make, unless someone asks for it.
        outputs_of(JOBS),
    localrule: True


# What no study decides: made before by `make run`, so that two studies can run at the same time.
rule print:
    input:
        [path for path in (*TABLE_FILES, *PRINTED_FIGURE_FILES) if path.startswith(in_print(""))],
    localrule: True
