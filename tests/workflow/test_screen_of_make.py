"""`make run` and its like, from the Makefile through Snakemake to what a person reads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ROOT, STUDY, Project, copy_workflow

pytestmark = pytest.mark.workflow

# What Snakemake prints before it reads a workflow.
PROFILE = "Using workflow specific profile"
WIDTH = 80


@pytest.fixture
def made(copied: Project) -> Project:
    """The finished study in a checkout of its own, where make can be called."""
    copy_workflow(copied.folder)
    shutil.copytree(ROOT / "tools", copied.folder / "tools")
    for name in ("requirements.txt", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, copied.folder)
    return Project(copied.folder, copied.folder)


def make(project: Project, target: str, code: int = 0) -> list[str]:
    """Call make with this test's own Python; return the lines that it printed."""
    # Where `make test` runs this, make would tell that it is called by another make.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    result = subprocess.run(
        [
            *("make", target, f"BIN={Path(sys.executable).parent}", "READY=", "CORES=2"),
            f"STUDY={project.study_file(STUDY, 'small')}",
        ],
        cwd=project.folder,
        env={**outside, "COLUMNS": str(WIDTH)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == code, result.stdout
    assert "\r" not in result.stdout
    assert PROFILE not in result.stdout
    return result.stdout.splitlines()


def log_of_snakemake(project: Project) -> str:
    return max((project.folder / ".snakemake" / "log").iterdir()).read_text(encoding="utf-8")


def test_a_finished_study_told_again_is_one_line_and_its_report(made: Project):
    size = made.plan(STUDY).size
    assert make(made, "run") == [
        f"Nothing to do: all {size} jobs of small are done",
        "Report: results/small/report.html",
    ]


def test_a_run_tells_its_jobs_shows_the_main_table_and_ends_with_the_report(made: Project):
    made.results("tables/main.md").unlink()
    size = made.plan(STUDY).size
    head, *rules = make(made, "dry-run")
    assert head.startswith(f"Study small: 4 of {size} jobs would run")
    figures = ["plot_digits", "plot_digits-resnet18"]
    assert sorted(map(str.split, rules)) == [["1", rule] for rule in (*figures, "report", "tables")]
    # Jobs that took long are told when they end, too.
    lines = [line for line in make(made, "run") if "Finished after" not in line]
    first, tables, *drawn, report, done = lines[:6]
    assert re.fullmatch(
        rf"Study small: 4 of {size} jobs to do, about \d+ s; logs in results/small/logs", first
    )
    assert tables[7:] == "0 of 4    0%  Tables of all models"
    titles = [line.partition("%  ")[2].partition(" (")[0] for line in drawn]
    assert sorted(titles) == ["Figures of digits", "Figures of resnet18 on digits"]
    assert report[7:].startswith("3 of 4   75%  Report: one page of everything (about ")
    assert done.startswith("4 jobs done in ")
    shown = lines[6:]
    assert shown[-1] == "Report: results/small/report.html"
    assert max(map(len, shown)) <= WIDTH
    assert {"Condition", "baseline", "baseline_sam"} <= {line.split(" ")[0] for line in shown}
    log = log_of_snakemake(made)
    assert "Reason: Missing output files: results/small/tables/main.md" in log
    assert "5 of 5 steps (100%) done" in log


def test_a_run_that_fails_ends_with_the_job_and_its_log(made: Project):
    made.results("tables/main.md").unlink()
    made.results("report.html").unlink()
    measures = made.results("tables/measures.csv")
    lines = measures.read_text(encoding="utf-8").splitlines()
    age = measures.stat()
    measures.write_text("\n".join([lines[0].replace("condition", "other"), *lines[1:]]) + "\n")
    # As old as it was: nothing else is made again.
    os.utime(measures, ns=(age.st_atime_ns, age.st_mtime_ns))
    lines = make(made, "run", code=2)
    failed = "Tables of all models [results/small/logs/tables/all.log]"
    assert sum(line.startswith("KeyError: ") for line in lines) == 1
    start = next(i for i, line in enumerate(lines) if line.startswith("0 of 4 jobs done"))
    assert lines[start] == "0 of 4 jobs done, 1 failed"
    assert lines[start + 1].startswith("Snakemake's log: .snakemake/log/")
    assert lines[start + 2] == failed
    assert lines[-2].startswith("KeyError: ")
    assert lines[-1].startswith("make: *** ")
    assert "Error in rule tables:" in log_of_snakemake(made)
    assert not [line for line in lines if line.startswith("Report:")]


def test_what_snakemake_cannot_do_is_told_in_its_words(made: Project):
    environment = {**os.environ, "MINIMASCOPE_SCREEN": "1"}
    command = made.command(STUDY, "--", "results/small/nothing.txt")
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "MissingRuleException:\nNo rule to produce results/small/nothing.txt" in result.stderr
