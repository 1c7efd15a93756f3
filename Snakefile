from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

# Only where no study is named: Snakemake would merge two studies into one.
if not workflow.config_settings.configfiles:

    configfile: Path(str(workflow.current_basedir)) / "config.yaml"


include: "rules/common.smk"
include: "rules/specs.smk"
include: "rules/inputs.smk"
include: "rules/data.smk"
include: "rules/recordings.smk"
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


onstart:
    begin_run()


rule all:
    input:
        rules.report.output,
        tables(),
        figures(),
        toy_results(),
        # Snakemake forgets what a failed job was to make, unless someone asks for it.
        foundations(),
    localrule: True


# What no study decides: made before by `make run`, so that two studies can run at the same time.
rule print:
    input:
        [path for path in (*tables(), *figures()) if path.startswith(in_print(""))],
    localrule: True
