"""The rules, the profile for clusters and docs/cluster.md say the same about who asks for what."""

import re
from dataclasses import dataclass

import pytest
import yaml
import yte
from rerun_cases import STUDY as EVERY_RULE
from small_study import ROOT, Project
from snakemake.jobs import Job

from minimascope.jobs.planning import planned_workflow
from minimascope.registry import OF_SNAPSHOTS, SHARPNESS

pytestmark = pytest.mark.workflow

SLURM = ROOT / "profiles" / "slurm" / "profile.yaml"
DOCUMENT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
# Of the study of every rule; its archives are to be downloaded.
FILES = ("pictures.zip", "sounds.csv", "cnn10.pth", "theirs-0.pt", "theirs-1.pt")
# What the two Snakemakes inside a Slurm job need themselves, in megabytes.
LEAST_MEMORY = 500


@dataclass(frozen=True)
class Rule:
    """What a rule asks for: its GPUs, CPUs, megabytes and minutes, at the first two attempts."""

    name: str
    local: bool
    gpus: int
    cpus: int
    memory: tuple[int, int]
    minutes: tuple[int, int]

    def row(self) -> str:
        """Return its row in the document's table."""
        gpus = self.gpus or ""
        return f"| `{self.name}` | {gpus} | {self.cpus} | {self.memory[0]} | {self.minutes[0]} |"


def asked(job: Job) -> Rule:
    """Return what a job asks for."""
    memory, minutes = [], []
    for attempt in (1, 2):
        job.attempt = attempt
        memory.append(job.resources.mem_mb)
        minutes.append(job.resources.runtime)

    rule = job.rule
    local = rule.name in rule.workflow._localrules
    # The job's own threads are no more than the cores of the plan.
    cpus = rule.resources["_cores"].value
    gpus = job.resources.get("gpu", 0)
    return Rule(rule.name, local, gpus, cpus, tuple(memory), tuple(minutes))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    """All rules with jobs, in their order."""
    folder = tmp_path_factory.mktemp("cluster")
    project = Project(ROOT, folder / "run")
    for name in FILES:
        (project.folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / "data" / name).touch()
    # What takes many passes has jobs of its own on the way, too.
    sharpness = {**EVERY_RULE["sharpness"], "path": {}, "on": ["final", 2]}
    study = {**EVERY_RULE, "sharpness": sharpness}
    with planned_workflow(project.study_file(study), project.folder) as workflow:
        names = [rule.name for rule in workflow.rules if rule.output]
        found = [asked(job) for job in workflow.dag.jobs if job.rule.name in names]
        # Landscapes of large data ask for more than the others.
        least = {rule.name: rule for rule in sorted(found, key=lambda rule: -rule.minutes[0])}
        return [least[name] for name in names]


@pytest.fixture(scope="module")
def sent(rules: list[Rule]) -> list[Rule]:
    """Those whose jobs are sent to a cluster."""
    return [rule for rule in rules if not rule.local]


def profile(**site: object) -> dict:
    """Return the profile as Snakemake reads it, after a site's edits."""
    text = yaml.safe_load(SLURM.read_text(encoding="utf-8"))
    assert site.keys() <= text["__variables__"].keys()
    text["__variables__"] |= site
    return yte.process_yaml(yaml.safe_dump(text), require_use_yte=True)


def test_a_job_asks_for_more_at_each_attempt_and_for_enough_at_the_first(sent: list[Rule]):
    assert {"train", "prepare", "probabilities"} <= {rule.name for rule in sent}
    for rule in sent:
        assert rule.cpus >= 1
        assert rule.minutes[1] == 2 * rule.minutes[0] >= 2
        assert rule.memory[1] == 2 * rule.memory[0] >= 2 * LEAST_MEMORY


def test_what_takes_seconds_runs_locally_and_needs_no_gpu(rules: list[Rule]):
    local = [rule for rule in rules if rule.local]
    light = {
        "collect",
        "gather",
        "tables",
        "published_tables",
        "plot",
        "published_figures",
        "report",
    }
    assert light <= {rule.name for rule in local}
    assert not any(rule.gpus for rule in local)


def test_the_document_says_what_each_rule_asks_for(sent: list[Rule]):
    section = DOCUMENT.split("## What each rule asks for")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `\w+` \|.*$", section, flags=re.MULTILINE)
    assert rows == [rule.row() for rule in sent]


def test_the_document_names_the_rules_that_run_locally(rules: list[Rule]):
    sentence = DOCUMENT.split("These run where Snakemake does:")[1].split(".")[0]
    named = set(re.findall(r"`(\w+)`", sentence))
    # Of `plot` there is one for each thing that figures are of.
    assert named == {re.sub("^plot_.*", "plot", rule.name) for rule in rules if rule.local}


def test_jobs_with_a_gpu_and_only_these_are_sent_to_the_partition_with_gpus(sent: list[Rule]):
    asks = profile(gpu_partition="fast", cpu_partition="slow")
    assert asks["default-resources"] == {"slurm_partition": "slow"}
    on_gpus = {rule.name: {"slurm_partition": "fast"} for rule in sent if rule.gpus}
    assert asks["set-resources"] == on_gpus


def test_an_account_and_a_kind_of_gpu_are_asked_for_where_a_site_names_them():
    sent = profile(account="physics", gpu_model="a100")
    assert sent["default-resources"]["slurm_account"] == "physics"
    assert {rule["gpu_model"] for rule in sent["set-resources"].values()} == {"a100"}


def test_a_group_asks_for_one_gpu_and_has_only_jobs_that_need_it(sent: list[Rule]):
    asks = profile()
    assert asks["groups"].keys() < {rule.name for rule in sent if rule.gpus}
    assert asks["resources"] == {"gpu": 1}
    assert asks["set-resource-scopes"] == {"gpu": "local"}
    assert asks["group-components"].keys() == set(asks["groups"].values())


def test_jobs_of_a_condition_and_jobs_of_a_network_are_grouped_apart(sent: list[Rule]):
    groups = profile()["groups"]
    together = {rule for rule in groups if "{seed}" not in groups[rule]}
    assert together == {"evaluate", "sharpness", "trajectory"}
    measuring = {*SHARPNESS, *(f"trajectory_{name}" for name in (*SHARPNESS, *OF_SNAPSHOTS))}
    assert groups.keys() - together == (measuring | {"measure_own", "trajectory_own"}) & {
        rule.name for rule in sent
    }
    assert len({groups[rule] for rule in together}) == len(set(groups.values())) - 1 == 1


def test_rules_leave_retries_to_the_profile():
    assert profile()["retries"] > 0
    assert not any("retries:" in file.read_text() for file in (ROOT / "rules").glob("*.smk"))


def test_the_profile_changes_no_setting_of_the_default_one():
    default = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text(encoding="utf-8"))
    assert not profile().keys() & default.keys()
