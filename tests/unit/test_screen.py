"""What `make run` shows, from messages as Snakemake sends them."""

import io
import logging
import os
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake_interface_logger_plugins.common import LogEvent

from minimascope.jobs.estimate import Forecast
from minimascope.jobs.narrow import narrow
from minimascope.jobs.pace import Pace, duration, earlier_seconds
from minimascope.jobs.screen import Screen, Shown

MAIN = "results/small/tables/main.md"
PAGE = "results/small/report.html"
LOG = "results/small/logs/train/digits/mlp/baseline/seed0.log"
WARNING = "2 networks of full width are to be trained on a CPU"
TABLE = """\
| Condition | Test accuracy | Corruption accuracy, generated (%) | SAM-sharpness |
|:----------|--------------:|-----------------------------------:|--------------:|
| baseline | 0.5 ± 0.1 | **88 ± 1** | (2.56 ± 0.17) × 10⁻⁵ |
| augmentation_sam | **0.875 ± 0.125** | 86.5 ± 0.5 † | **0.00109 ± 0.00017** |

Over seeds. Bold: the best value.
"""


def job(rule: str, *output: str, benchmark: str | None = None) -> SimpleNamespace:
    of = SimpleNamespace(name=rule)
    return SimpleNamespace(
        rule=of, output=output, benchmark=benchmark, log=[LOG], wildcards_dict={}
    )


TRAINED = [job("train", "a.safetensors"), job("train", "b.safetensors")]
JOBS = [job("prepare", "data"), *TRAINED, job("report", PAGE, MAIN), job("all")]


class Run:
    """A screen, and Snakemake's messages to it."""

    def __init__(self, done: int = 0, dryrun: bool = False, warning: str = "") -> None:
        dag = SimpleNamespace(jobs=JOBS, needrun=lambda job: job in JOBS[done:])
        self.stream = io.StringIO()
        machine = {"cores": 2, "global_resources": {}, "remote_exec": False}
        workflow = SimpleNamespace(dag=dag, dryrun=dryrun, **machine)
        expected = Forecast({}, "about 3 min", warning)
        tables = [MAIN, "results/small/tables/toy_fits.md"]
        shown = Shown("small", tables, PAGE, lambda machine, jobs, needed: expected)
        self.screen = Screen(workflow, shown, self.stream)

    def say(self, text: str | None = None, level: int = logging.INFO, **extra: object) -> list[str]:
        """Send a message and return the lines that it added to the screen."""
        before = self.stream.tell()
        record = {"msg": text, "levelno": level, **extra}
        self.screen.handle(logging.makeLogRecord(record))
        return self.stream.getvalue()[before:].splitlines()

    def begin(self) -> list[str]:
        stats = {**Counter(job.rule.name for job in JOBS), "total": len(JOBS)}
        return self.say("Job stats:\n…", event=LogEvent.RUN_INFO, stats=stats)

    def start(self, number: int, message: str | None = None) -> list[str]:
        rule, output = JOBS[number].rule.name, JOBS[number].output
        names = {"rule_msg": message, "rule_name": rule, "jobid": number, "output": output}
        names |= {"wildcards": {}}
        return self.say(event=LogEvent.JOB_INFO, input=["x"] * 20, reason="Missing", **names)

    def finish(self, number: int) -> list[str]:
        return self.say("Finished jobid", event=LogEvent.JOB_FINISHED, job_id=number)

    def fail(self, number: int, log: Path) -> list[str]:
        said = {"rule_msg": None, "aux": {"external_jobid": 7}, "log": [str(log)]}
        names = {"rule_name": JOBS[number].rule.name, "jobid": number}
        return self.say("Error", logging.ERROR, event=LogEvent.JOB_ERROR, **names, **said)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time as the screen sees it, which stands still unless a test moves it."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("time.monotonic", lambda: now.seconds)
    return now


def test_a_run_is_told_from_its_jobs_to_its_report(clock, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path(MAIN).parent.mkdir(parents=True)
    Path(MAIN).write_text(TABLE, encoding="utf-8")
    run = Run(done=1)
    assert run.begin() == [
        "Study small: 3 of 4 jobs to do, about 3 min; logs in results/small/logs"
    ]
    (line,) = run.start(1, "Training mlp on digits: baseline, seed 0")
    assert re.fullmatch(r"\d\d:\d\d  0 of 3    0%  Training mlp on digits: baseline, seed 0", line)
    clock.seconds += 30
    assert run.finish(1) == []
    (line,) = run.start(2, "Training mlp on digits: baseline, seed 1")
    # 60 s of work, by somewhat less than the two at once that there is room for.
    assert line[7:] == ("1 of 3   33%  Training mlp on digits: baseline, seed 1 (about 33 s left)")
    clock.seconds += 165
    (line,) = run.finish(2)
    assert line.endswith("67%  Finished after 3 min: Training mlp on digits: baseline, seed 1")
    # A rule without a message.
    assert run.start(3)[0].endswith(" 67%  report")
    assert capsys.readouterr().out == ""
    assert run.finish(3) == ["3 jobs done in 3 min"]
    assert run.start(4, "all") == []
    assert run.finish(4) == []
    printed = capsys.readouterr().out
    assert printed == f"\n{narrow(TABLE, 100)}\n\nReport: {PAGE}\n"
    assert "\r" not in run.stream.getvalue()


def test_a_failed_job_is_one_line_and_its_own_words_are_the_last_on_the_screen(
    clock, tmp_path, monkeypatch
):
    # A short path, since the line is cut at the terminal's width.
    monkeypatch.chdir(tmp_path)
    log = Path("train.log")
    log.write_text("".join(f"line {n}\n" for n in range(100)) + "error: no more\n")
    run = Run()
    run.begin()
    run.start(0, "Preparing")
    clock.seconds += 10
    run.finish(0)
    run.start(1, "Training")
    # How Snakemake tells that the command of a job failed: KilledJobs and the next message say so.
    command = "Command 'set -euo pipefail;  python train.py' returned non-zero exit status 1."
    assert run.say(f"CalledProcessError in file x:\n{command}", logging.ERROR) == []
    (line,) = run.fail(1, log)
    assert line.endswith(f"25%  Failed: Training [{log}]: external_jobid 7")
    # Jobs that need the failed one will not run, so nobody knows what is left.
    assert run.start(2, "Training more")[0].endswith("1 of 4   25%  Training more")
    clock.seconds += 1
    run.finish(2)
    assert run.say("Exiting because a job execution failed. Look …", logging.ERROR) == []
    file = logging.FileHandler(tmp_path / "snakemake.log")
    logging.getLogger("snakemake.logging").addHandler(file)
    try:
        text = "WorkflowError:\nAt least one job did not complete successfully."
        end = run.say(text, logging.ERROR, event=LogEvent.ERROR)
    finally:
        logging.getLogger("snakemake.logging").removeHandler(file)
        file.close()
    assert end == [
        "2 of 4 jobs done, 1 failed",
        f"Snakemake's log: {os.path.relpath(tmp_path / 'snakemake.log')}",
        f"Training [{log}]",
        "error: no more",
    ]


def test_a_job_that_does_not_say_why_it_failed_ends_with_the_end_of_its_log(clock, tmp_path):
    log = tmp_path / "train.log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))
    run = Run()
    run.begin()
    run.start(0, "Preparing")
    run.fail(0, log)
    end = run.say("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    assert end[:2] == ["0 of 4 jobs done, 1 failed", f"Preparing [{log}]"]
    assert (end[-1], len(end)) == ("line 99", 42)


def test_a_job_that_is_tried_again_with_success_has_not_failed(clock, tmp_path):
    run = Run()
    run.begin()
    run.start(0, "Preparing")
    assert len(run.fail(0, tmp_path / "none.log")) == 1
    assert run.say("Trying to restart job 0.") == ["Trying to restart job 0."]
    run.start(0, "Preparing")
    clock.seconds += 10
    run.finish(0)
    end = run.say("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    assert end == ["1 of 4 jobs done"]


def test_the_log_of_a_cluster_for_a_group_of_jobs_is_told(tmp_path):
    log = tmp_path / "slurm.log"
    log.write_text("slurmstepd: error: Detected 1 oom_kill event\n")
    said = {"event": LogEvent.GROUP_ERROR, "aux_logs": [str(log)], "job_error_info": []}
    line, *tail = Run().say("Error in group measures-digits-mlp", logging.ERROR, **said)
    assert line == f"Error in group measures-digits-mlp [{log}]"
    assert "slurmstepd: error: Detected 1 oom_kill event" in tail


def test_jobs_that_the_user_stops_have_not_failed(tmp_path):
    run = Run()
    run.begin()
    run.start(0, "Preparing")
    text = "Terminating processes on user request, this might take some time."
    assert run.say(text) == [text]
    command = "Command 'python train.py' died with <Signals.SIGINT: 2>."
    assert run.say(command, logging.ERROR) == []
    assert run.fail(0, tmp_path / "none.log") == []
    end = run.say("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    assert end == ["0 of 4 jobs done; run again to continue"]


def test_a_finished_run_told_again_is_one_line_and_the_report(capsys):
    run = Run(done=len(JOBS))
    assert run.say(NOTHING_TO_BE_DONE_MSG) == ["Nothing to do: all 4 jobs of small are done"]
    assert capsys.readouterr().out == f"Report: {PAGE}\n"


def test_progress_is_cut_to_the_width_of_the_terminal_but_for_the_time_left(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    run = Run()
    run.begin()
    run.start(0, "Preparing")
    clock.seconds += 10
    run.finish(0)
    (line,) = run.start(1, "Training a network with a name of some length on digits")
    assert len(line) == 60
    assert "Training a network" in line
    clock.seconds += 10
    run.finish(1)
    (line,) = run.start(2, "Training a network with a name of some length on digits")
    assert len(line) == 60
    assert re.search(r"Training.*… \(about .* left\)$", line)
    monkeypatch.delenv("COLUMNS")
    assert run.start(3, "x" * 300)[0].count("x") == 300


def test_a_warning_comes_before_everything_else():
    warning, head = Run(warning=WARNING).begin()
    assert warning == f"warning: {WARNING}"
    assert head.startswith("Study small: ")


def test_what_belongs_to_no_study_is_told_apart(monkeypatch):
    printed = [job("published_tables", "results/published/a.csv")]
    printed[0].log = ["results/published/logs/published_tables/all.log"]
    monkeypatch.setattr("test_screen.JOBS", printed)
    run = Run()
    head = "Published results: 1 of 1 jobs to do, about 3 min; logs in results/published/logs"
    assert run.begin() == [head]


def test_a_dry_run_counts_the_jobs_of_each_rule():
    run = Run(done=1, dryrun=True)
    assert run.begin() == [
        "Study small: 3 of 4 jobs would run, about 3 min; `make explain` says why",
        "      2  train",
        "      1  report",
    ]
    assert run.start(1, "Training") == []


@pytest.mark.parametrize(
    "text",
    [
        *("Building DAG of jobs...", "Using shell: /usr/bin/bash", "Select jobs to execute..."),
        *("Conda environments: ignored", "Complete log(s): x", "Elapsed time: 0:00:42"),
        "Job 7 has been submitted with SLURM jobid 12 (log: x).",
        "Job a5afca06-1094-5baa has been submitted with SLURM jobid 5 (log: x).",
        "Cleaning up SLURM log files older than 10 day(s).",
    ],
)
def test_what_snakemake_says_in_every_run_is_for_its_log(text: str):
    assert Run().say(text) == []


@pytest.mark.parametrize("event", ["PROGRESS", "JOB_STARTED", "SHELLCMD", "WORKFLOW_STARTED"])
def test_events_for_programs_are_for_its_log(event: str):
    assert Run().say(None, event=LogEvent[event], done=1, total=2, jobs=[1], cmd="python") == []


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("LockException:\nError: Directory cannot be locked. …", logging.ERROR),
        ("MissingInputException in rule train …", logging.ERROR),
        ("Job 7 failed, SLURM status is 'TIMEOUT'", logging.ERROR),
        ("Failed to set marker file for job started", logging.WARNING),
        ("Terminating processes on user request, this might take some time.", logging.INFO),
        ("Waiting at most 5 seconds for missing files:\nx", logging.INFO),
        ("Creating conda environment envs/cpu.yaml...", logging.INFO),
    ],
)
def test_warnings_errors_and_what_takes_time_are_shown_as_they_are(text: str, level: int):
    events = {"event": LogEvent.ERROR} if level == logging.ERROR else {}
    assert Run().say(text, level, **events) == text.splitlines()


def test_a_fault_of_the_screen_is_shown_and_ends_no_run(capsys):
    run = Run()
    run.begin()
    assert run.say("Error", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=0) == []
    assert "AttributeError" in capsys.readouterr().err


def test_durations_of_earlier_runs_are_read_by_rule(tmp_path):
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    for path, seconds in zip(paths, (10, 30), strict=True):
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}.00\t0:00:{seconds}\t753.61\n")
    jobs = [job("train", benchmark=str(path)) for path in paths]
    jobs += [job("collect", benchmark=str(tmp_path / "none.tsv")), job("all")]
    assert earlier_seconds(jobs) == {"train": 20.0}


def test_time_left_is_the_mean_of_each_rule_over_the_jobs_at_once():
    pace = Pace(Counter(train=5, report=1), earlier={"report": 30.0, "train": 999.0})
    assert pace.time_left(0) == ""
    for number in range(4):
        pace.begin(number, "train", now=0)
    # Nothing has finished: there is no basis yet.
    assert pace.time_left(50) == ""
    assert [pace.finish(number, now=90 + 20 * number) for number in (0, 1)] == [90, 110]
    # Four at once for 90 s, then three for 20 s and two for 10 s: 440 s in 120 s. Trainings take
    # 100 s: the two under way have had at least that, one has not begun, and the report takes 30 s.
    assert pace.time_left(120) == f"about {130 * 120 / 440:.0f} s left"


def test_rules_that_never_ran_count_as_the_median_and_are_no_basis_for_most_of_the_time_left():
    left = Counter(prepare=1, corrupt=1, train=2, report=2)
    pace = Pace(left, earlier={"corrupt": 30.0})
    for number, (rule, seconds) in enumerate([("prepare", 10), ("train", 600)]):
        pace.begin(number, rule, now=0 if number == 0 else 10)
        pace.finish(number, now=10 if number == 0 else 10 + seconds)
        # 30 of 110 s are known, the corruption's, and then 630 of 690 s with the other training's.
        assert (number == 1) == bool(pace.time_left(610))
    # One at once: 600 s of a training, 30 s of a corruption, and twice the median of 10, 30, 600 s.
    assert pace.time_left(610) == f"about {(600 + 30 + 2 * 30) / 60:.0f} min left"


def test_kinds_of_jobs_that_wait_are_expected_to_be_as_slow_as_others_of_their_rule():
    earlier = {"train a": 10.0, "train b": 40.0, "report": 20.0}
    pace = Pace(Counter({"train a": 1, "train b": 1, "report": 1}), earlier)
    pace.begin(0, "train a", now=0)
    pace.finish(0, now=20)
    # Twice as long as expected; of the report nothing is known anew.
    assert pace.time_left(20) == f"about {2 * 40 + 20} s left"


def test_at_first_as_many_jobs_are_expected_at_once_as_there_is_room_for():
    pace = Pace(Counter(prepare=1, train=10), {"prepare": 10.0, "train": 60.0}, at_once=4)
    pace.begin(0, "prepare", now=0)
    pace.finish(0, now=10)
    # Not the 600 s that one at once would take.
    assert pace.time_left(10) == f"about {600 / ((10 + 4 * 120) / 130) / 60:.0f} min left"


def test_the_time_left_moves_in_small_steps():
    pace = Pace(Counter(train=11), {})
    pace.begin(0, "train", now=0)
    pace.finish(0, now=60)
    assert pace.time_left(60) == "about 10 min left"
    pace.begin(1, "train", now=60)
    pace.finish(1, now=240)
    # Nine of 120 s on average would be 18 min; 7 min are left of what was said.
    assert pace.time_left(240) == f"about {0.3 * 18 + 0.7 * 7:.0f} min left"


def test_a_forecast_that_was_far_off_is_forgotten_once_jobs_have_finished():
    pace = Pace(Counter(train=11), earlier={"train": 6000.0}, at_once=1)
    pace.begin(0, "train", now=0)
    pace.told = 60000.0, 0.0
    pace.finish(0, now=60)
    assert pace.time_left(60) == "about 10 min left"


def test_nothing_is_said_of_the_time_left_where_nothing_is_left():
    pace = Pace(Counter(train=1), earlier={"train": 5.0})
    pace.begin(0, "train", now=0)
    pace.finish(0, now=100)
    assert pace.time_left(100) == ""


def test_durations_have_two_of_their_unit_at_least():
    seconds = [0.4, 119, 120, 7199, 7200]
    assert list(map(duration, seconds)) == ["0 s", "119 s", "2 min", "120 min", "2 h"]


def test_a_table_wider_than_the_screen_goes_on_below_with_its_first_column():
    expected = """\
                                       Corruption
                                        accuracy,
                                        generated
Condition             Test accuracy           (%)
----------------  -----------------  ------------
baseline                  0.5 ± 0.1    **88 ± 1**
augmentation_sam  **0.875 ± 0.125**  86.5 ± 0.5 †

Condition                 SAM-sharpness
----------------  ---------------------
baseline           (2.56 ± 0.17) × 10⁻⁵
augmentation_sam  **0.00109 ± 0.00017**

Over seeds. Bold: the best value."""
    assert narrow(TABLE, 60) == expected


@pytest.mark.parametrize("width", [45, 80, 120])
def test_nothing_is_wider_than_the_screen_and_no_cell_is_lost(width: int):
    text = narrow(TABLE.replace("Over", "Over many " * 20), width)
    assert max(map(len, text.splitlines())) <= width
    cells = re.findall(r"[^|\s][^|\n]*[^|\s]", TABLE.splitlines()[2] + TABLE.splitlines()[3])
    assert all(cell in text for cell in cells)


def test_a_column_wider_than_the_screen_stays_whole():
    assert "**0.875 ± 0.125**" in narrow(TABLE, 10)


def test_a_terminal_shows_bold_and_columns_stay_below_each_other():
    plain, shown = narrow(TABLE, 60), narrow(TABLE, 60, terminal=True)
    assert "\033[1m88 ± 1\033[0m" in shown
    visible = re.sub(r"\033\[\d?m", "", shown).splitlines()
    assert "**" not in shown
    assert [*map(len, visible)] == [*map(len, plain.splitlines())]
