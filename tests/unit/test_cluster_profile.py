"""The rules, the profile for clusters and docs/cluster.md say the same about who asks for what."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
import yte

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "profiles" / "slurm" / "profile.yaml"
DOCUMENT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
# What the two Snakemakes inside a Slurm job need themselves, in megabytes.
LEAST_MEMORY = 500


@dataclass(frozen=True)
class Rule:
    """What the text of a rule asks for: its GPUs, CPUs, megabytes and minutes."""

    name: str
    local: bool
    gpus: int
    cpus: int
    memory: int
    minutes: int
    grows: bool

    def row(self) -> str:
        """Return its row in the document's table."""
        gpus = self.gpus or ""
        return f"| `{self.name}` | {gpus} | {self.cpus} | {self.memory} | {self.minutes} |"


def parsed(text: str) -> Rule:
    def amount(pattern: str) -> int:
        (found,) = re.findall(rf"^ +{pattern},?$", text, flags=re.MULTILINE) or ["0"]
        return int(found)

    name = re.match(r"rule (\w+):", text)[1]
    local = "localrule: True" in text
    size = r"(?:growing\()?(\d+)\)?"
    grows = len(re.findall(r"^ +(?:mem_mb|runtime)=growing", text, flags=re.MULTILINE)) == 2
    memory, minutes = amount(f"mem_mb={size}"), amount(f"runtime={size}")
    return Rule(
        name, local, amount(r"gpu=(\d+)"), amount(r"threads: (\d+)"), memory, minutes, grows
    )


def rules() -> list[Rule]:
    files = sorted((ROOT / "rules").glob("*.smk"))
    # The others are made in a loop, or of one of these.
    parts = [re.split(r"^(?=\w)", file.read_text(), flags=re.MULTILINE) for file in files]
    return [parsed(part) for file in parts for part in file if part.startswith("rule ")]


def local_rules() -> set[str]:
    pattern = r"^ *(?:rule|use rule \w+ as) (\w+)(?: with)?:((?:\n.+)+)"
    texts = [path.read_text() for path in (ROOT / "rules").glob("*.smk")]
    found = [rule for text in texts for rule in re.findall(pattern, text, flags=re.MULTILINE)]
    return {name for name, body in found if "localrule: True" in body}


def profile(**site: object) -> dict:
    """Return the profile as Snakemake reads it, after a site's edits."""
    text = yaml.safe_load(SLURM.read_text(encoding="utf-8"))
    assert site.keys() <= text["__variables__"].keys()
    text["__variables__"] |= site
    return yte.process_yaml(yaml.safe_dump(text), require_use_yte=True)


SENT = [rule for rule in rules() if rule.name not in local_rules()]
ON_GPUS = {rule.name for rule in SENT if rule.gpus}


def test_every_rule_is_read():
    assert {"train", "prepare", "calibrate"} <= {rule.name for rule in SENT}
    assert {"collect", "plot", "report"} <= local_rules()


@pytest.mark.parametrize("rule", SENT, ids=lambda rule: rule.name)
def test_a_job_asks_for_more_at_each_attempt_and_for_enough_at_the_first(rule: Rule):
    assert rule.grows
    assert rule.cpus >= 1
    assert rule.minutes >= 1
    assert rule.memory >= LEAST_MEMORY


def test_rules_of_tables_and_figures_are_local_and_need_no_gpu():
    for name in ("tables", "figures"):
        text = (ROOT / "rules" / f"{name}.smk").read_text()
        rules_of_file = re.findall(r"^ *(?:use )?rule\b", text, flags=re.MULTILINE)
        assert text.count("localrule: True") == len(rules_of_file) > 2
    assert not {rule.name for rule in rules() if rule.gpus} & local_rules()


def test_the_document_says_what_each_rule_asks_for():
    section = DOCUMENT.split("## What each rule asks for")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `\w+` \|.*$", section, flags=re.MULTILINE)
    assert rows == [rule.row() for rule in SENT]


def test_the_document_names_the_rules_that_run_locally():
    sentence = DOCUMENT.split("These run where Snakemake does:")[1].split(".")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == local_rules()


def test_jobs_with_a_gpu_and_only_these_are_sent_to_the_partition_with_gpus():
    sent = profile(gpu_partition="fast", cpu_partition="slow")
    assert sent["default-resources"] == {"slurm_partition": "slow"}
    assert sent["set-resources"] == {rule: {"slurm_partition": "fast"} for rule in ON_GPUS}


def test_an_account_and_a_kind_of_gpu_are_asked_for_where_a_site_names_them():
    sent = profile(account="physics", gpu_model="a100")
    assert sent["default-resources"]["slurm_account"] == "physics"
    assert {rule["gpu_model"] for rule in sent["set-resources"].values()} == {"a100"}


def test_a_group_asks_for_one_gpu_and_has_only_jobs_that_need_it():
    sent = profile()
    assert sent["groups"].keys() < ON_GPUS
    assert sent["resources"] == {"gpu": 1}
    assert sent["set-resource-scopes"] == {"gpu": "local"}
    assert sent["group-components"].keys() == set(sent["groups"].values())


def test_rules_leave_retries_to_the_profile():
    assert profile()["retries"] > 0
    assert not any("retries:" in file.read_text() for file in (ROOT / "rules").glob("*.smk"))


def test_the_profile_changes_no_setting_of_the_default_one():
    default = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text(encoding="utf-8"))
    assert not profile().keys() & default.keys()
