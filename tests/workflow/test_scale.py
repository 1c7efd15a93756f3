"""Planning a study of thousands of jobs: what is ours in it does not grow with their number."""

import json
import re
import sys
from pathlib import Path

import pytest
from small_study import ROOT, Project

sys.path.insert(0, str(ROOT / "benchmarks"))
import scale

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

# Counts the files of the checkout that are opened, and the sources that are parsed as a tree.
COUNTER = """
import atexit, collections, json, os, sys
counts = collections.Counter()
def hook(event, arguments):
    if event == "open" and str(arguments[0]).startswith({checkout!r}):
        counts["opened"] += 1
    elif event == "compile" and arguments[1] == "<unknown>":
        counts["parsed"] += 1
sys.addaudithook(hook)
@atexit.register
def write():
    with open({target!r}, "w") as file:
        json.dump(counts, file)
"""


def counted_plan(
    project: Project, size: scale.Size, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the jobs of the plan of a study, and how often files were opened and parsed."""
    target = project.folder.with_name("counts.json")
    hooks = project.folder.with_name("hooks")
    hooks.mkdir(exist_ok=True)
    counter = COUNTER.format(checkout=str(ROOT), target=str(target))
    (hooks / "sitecustomize.py").write_text(counter, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(hooks))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    # A plan by a Python of its own, which the hook sees from its start.
    result = project.run(scale.big_study(size), "--dry-run", "--quiet", "rules")
    assert result.returncode == 0, result.stdout
    jobs = re.findall(r"^(\S+) +(\d+)$", result.stdout.split("\ntotal")[0], flags=re.MULTILINE)
    return {rule: int(count) for rule, count in jobs}, json.loads(target.read_text())


def test_planning_5000_jobs_reads_no_more_files_than_planning_a_few(project, monkeypatch):
    few, once = counted_plan(project, scale.Size(1, 1, seeds=2), monkeypatch)
    many, counts = counted_plan(project, scale.Size(5, 12), monkeypatch)
    assert sum(many.values()) > 5000 > 40 * sum(few.values())
    # Figures have a rule for each data set, and for each network on it.
    assert {*few} == {rule for rule in many if not re.match(r"plot_digits[1-9]", rule)}
    conditions = 5 * 2 * 12
    assert {many[rule] for rule in ("evaluate", "sharpness")} == {conditions}
    apart = ("train", "perturbation", "hessian", "landscape")
    assert {many[rule] for rule in apart} == {conditions * 10}
    assert (many["initialise"], many["corrupt"], many["prepare"]) == (100, 4 * 5, 5)
    assert once["opened"] > 50
    assert once["parsed"] > 50
    assert counts == once


def test_the_plain_snakefile_of_the_benchmark_has_the_jobs_of_the_study(project, tmp_path: Path):
    size = scale.Size(2, 1, seeds=2)
    ours = project.planned(scale.big_study(size))
    plain = scale.cost_of([*scale.write_case(tmp_path / "plain", size, ours=False), "--dry-run"])
    # What is made once for all studies is not in the plain one, which has no report either.
    assert abs(plain.jobs - sum(ours.values())) < 5
