"""`make explain` says in one screen what would run and why, and changes nothing."""

import re
import shutil
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from small_study import STUDY, Project, study_with
from tools import run_tool

from explain import screen
from minimascope.jobs.planning import differences

pytestmark = pytest.mark.workflow


ADAM = {"name": "adam", "lr": 0.01}


def explained(project: Project, changes: dict) -> dict[str, list[str]]:
    """Return the lines about each rule on the screen, without the rule."""
    head, _, *lines = screen(project.plan(study_with(changes))).splitlines()
    assert re.fullmatch(r"\d+ of \d+ jobs would run(, about \d+ (s|min) by one at once)?:", head)
    rules: dict[str, list[str]] = {}
    for line in lines:
        rule, _, text = line.partition(" ")
        if rule:
            rules.setdefault(rule, []).append("")
        else:
            # The rest of the line above.
            rule = [*rules][-1]
        rules[rule][-1] = f"{rules[rule][-1]} {' '.join(text.split())}".strip()
    return rules


def test_a_finished_study_takes_one_line(finished: Project):
    planned = finished.plan(STUDY)
    assert planned.size > 20
    assert screen(planned) == (
        f"Nothing would run: all {planned.size} jobs of the study are up to date."
    )


def test_a_changed_setting_is_named_with_its_values(finished: Project):
    rules = explained(finished, {"training.epochs": 3, "sharpness.perturbation.samples": 4})
    assert rules["train"] == ["4 jobs settings changed: training.epochs 2 → 3"]
    assert rules["evaluate"] == ["2 jobs after train"]
    assert rules["sharpness"] == [
        "2 jobs settings changed: families.perturbation.samples 3 → 4; after train"
    ]
    assert rules["probabilities"] == ["1 job after evaluate"]
    assert "initialise" not in rules


def test_jobs_of_a_rule_are_grouped_by_their_reasons(finished: Project):
    rules = explained(finished, {"seeds": [0, 2], "conditions.baseline_sam.sam.rho": 0.1})
    assert rules["initialise"] == ["1 job not made yet"]
    changed = "1 job settings changed: training.sam.rho 0.05 → 0.1"
    assert sorted(rules["train"]) == [changed, "2 jobs not made yet"]
    assert rules["disagreement"] == ["1 job other input files: 2 more, 2 fewer; after evaluate"]


def test_what_a_job_makes_more_of_is_not_called_gone(finished: Project):
    rules = explained(finished, {"seeds": [0, 1, 2]})
    changes = "settings changed: seeds [0, 1] → [0, 1, 2]; other input files: 1 more"
    for rule in ("evaluate", "sharpness"):
        assert rules[rule] == [f"2 jobs some of it not made yet; {changes}; after train"]


def test_a_study_that_never_ran_fits_on_a_screen(project: Project):
    planned = project.plan(STUDY)
    text = screen(planned)
    # Nothing is known of how long they take.
    assert text.startswith(f"{planned.size} of {planned.size} jobs would run:")
    assert text.count("not made yet") == len(text.splitlines()) - 2 < 40
    assert not (project.folder / "results").exists()


def test_what_happened_to_files_is_named(copied: Project):
    copied.results("tables/main.md").unlink()
    model = copied.results("models/digits/resnet18/baseline/seed0/model.safetensors")
    # Larger than what Snakemake compares by checksum.
    with model.open("ab") as stream:
        stream.truncate(2**21)
    rules = explained(copied, {})
    after = "after collect, disagreement, probabilities"
    assert rules["tables"] == [f"1 job gone: results/small/tables/main.md; {after}"]
    name = "results/small/models/digits/resnet18/baseline/seed0/model.safetensors"
    assert rules["sharpness"] == [f"1 job newer than what it made: {name}"]


def test_a_stopped_job_is_told_from_a_new_one(copied: Project):
    output = "results/small/tables/calibration.csv"
    # As Snakemake marks what a job that was killed may have left.
    mark = copied.folder / ".snakemake" / "incomplete" / urlsafe_b64encode(output.encode()).decode()
    mark.write_text("{}")
    assert explained(copied, {})["probabilities"] == ["1 job was stopped before its end"]


def test_changed_code_is_told_from_changed_settings(finished: Project, tmp_path: Path):
    moved = Project(shutil.copytree(finished.checkout, tmp_path / "moved"), finished.folder)
    module = moved.checkout / "scripts" / "minimascope" / "evaluation" / "calibration.py"
    module.write_text(module.read_text() + "\n\n_ADDED = 1\n")
    rules = explained(moved, {"evaluation.ece_bins": 10})
    changed = "code changed: minimascope/evaluation/calibration.py"
    assert rules["probabilities"] == [f"1 job {changed}; settings changed: bins 15 → 10"]


def test_what_is_chosen_anew_is_not_called_changed_code(finished: Project):
    rules = explained(
        finished, {"sharpness.perturbation.samples": 200, "conditions.baseline.optimizer": ADAM}
    )
    chosen = "settings, and with them the code, changed: "
    assert any(reason.startswith(f"2 jobs {chosen}training.optimizer") for reason in rules["train"])
    (reason, *_) = rules["sharpness"]
    assert f"{chosen}families.perturbation is gone" in reason
    for rule in ("train", "evaluate", "sharpness", "perturbation"):
        assert "code changed" not in str(rules[rule])


def test_snakemake_itself_prints_the_changed_param_alone(finished: Project):
    printed = finished.run(study_with({"evaluation.ece_bins": 10}), "--dry-run").stdout
    assert """before: '{"bins":15}' now: '{"bins":10}'""" in printed


def explain(study: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_tool("explain", study, cwd=folder)


def files(folder: Path) -> dict[str, int]:
    """Return when each file was changed, but for what Snakemake remembers of that itself."""
    paths = [path for path in folder.rglob("*") if "iocache" not in path.parts]
    return {str(path): path.lstat().st_mtime_ns for path in paths if path.is_file()}


def test_the_command_prints_the_screen_alone_and_changes_no_file(copied: Project):
    before = files(copied.folder)
    assert len(before) > 100
    study = study_with({"training.epochs": 3})
    planned = copied.plan(study)
    result = explain(copied.study_file(study), copied.folder)
    assert (result.returncode, result.stderr) == (0, "")
    note = "note: 2 conditions: none of 15 or more correlations over conditions, tested together,"
    assert result.stdout.startswith(f"{screen(planned)}\n{note} can be sure")
    assert 0 < len(planned.jobs) < planned.size
    assert files(copied.folder) == before


BROKEN = {
    "a fault of the study": (
        "{study: x, seeds: [0]}",
        "error in the configuration: configuration: 'datasets' is missing; add it",
    ),
    "no YAML": ("study: [", "error: study.yaml: Config file is not valid JSON or YAML."),
    "no mapping": ("[1, 2]", "error: study.yaml: Config file must be given as JSON or YAML"),
    "no text": (b"\xff\xfe\x00", "error: study.yaml: "),
    "no file": (None, "error: study.yaml: [Errno 2] No such file"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_study_ends_with_one_line(tmp_path: Path, content, message: str):
    if content is not None:
        (tmp_path / "study.yaml").write_bytes(
            content if type(content) is bytes else content.encode()
        )
    result = explain(Path("study.yaml"), tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, ["a.b 1 → 3"]),
        ({"a": None}, {}, ["a null → nothing"]),
        ({"a": {"b": 1}}, {"c": {"b": 1}}, ["a is gone", "c is new"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1] 2 → 3"]),
        ({"a": [1]}, {"a": [1, 3]}, ["a [1] → [1, 3]"]),
        ({"a": "x" * 99}, {"a": "x" * 98}, ["a"]),
    ],
)
def test_differences_between_settings_are_named_by_their_path(before, now, expected):
    assert list(differences(before, now)) == expected
