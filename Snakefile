from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

# Only where no study is named: Snakemake would merge two studies into one.
if not workflow.config_settings.configfiles:

    configfile: Path(workflow.basedir) / "config.yaml"


include: "rules/common.smk"
include: "rules/specs.smk"
include: "rules/inputs.smk"
include: "rules/data.smk"
include: "rules/recordings.smk"
include: "rules/train.smk"
include: "rules/sharpness.smk"
include: "rules/evaluate.smk"
include: "rules/tables.smk"
include: "rules/relations.smk"
include: "rules/figures.smk"
include: "rules/toy.smk"


report: "report/workflow.rst"


wildcard_constraints:
    dataset=one_of(STUDY.config["datasets"]),
    network=one_of(STUDY.config["networks"]),
    condition=one_of(STUDY.conditions),
    seed=r"\d+",


onstart:
    begin_run()


rule all:
    default_target: True
    input:
        tables(),
        figures(),
        toy_results(),
