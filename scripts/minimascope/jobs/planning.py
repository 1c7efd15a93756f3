"""What a run of a study would do and why, as Snakemake plans it. Nothing is run or changed."""

import ast
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from snakemake.api import SnakemakeApi
from snakemake.dag import DAG
from snakemake.jobs import Job
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    RerunTrigger,
    ResourceSettings,
)
from snakemake.workflow import Workflow

from ..study.parts_file import beside, shown
from .code_version import IGNORED, LIBRARY
from .job import PARTS
from .pace import earlier_seconds, kind_of_job
from .params import settings

CHECKOUT = Path(__file__).parents[3]
# With just these two Snakemake plans and stops; it would go through all jobs otherwise.
PLAN_ONLY = {Quietness.RULES, Quietness.PROGRESS}
NEW = "not made yet"
PARTLY_NEW = "some of it not made yet"
LONGEST_VALUE = 40
ABSENT = object()
# Keys whose values are names of networks, optimisers, averages and sources.
CHOOSING = {"architecture", "name", "source"}


@dataclass(frozen=True)
class PlannedJob:
    """A job that a run would start, its first output, and the reasons, each a short text."""

    rule: str
    output: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        jobs: those that would start, in their order.
        size: the number of all jobs of the study.
        seconds: that those that would start have taken before, together; None if some never ran.
    """

    jobs: Sequence[PlannedJob]
    size: int
    seconds: float | None


def plan(study: Path, folder: Path, checkout: Path = CHECKOUT) -> Plan:
    """Return what a run of a study would do in a working directory.

    Raises:
        SystemExit: the study is faulty; the message names the key and the remedy.
        snakemake.exceptions.WorkflowError: Snakemake cannot plan.
    """
    with planned_workflow(study, folder, checkout) as workflow:
        dag = workflow.dag
        levels = ([job for job in level if job.output] for level in dag.toposorted())
        jobs = [job for level in levels for job in sorted(level, key=_rule_and_output)]
        needed = [job for job in jobs if dag.needrun(job)]
        planned = [PlannedJob(*_rule_and_output(job), tuple(_reasons(dag, job))) for job in needed]
        return Plan(planned, len(jobs), _seconds(jobs, needed))


def _seconds(jobs: Iterable[Job], needed: Iterable[Job]) -> float | None:
    known = earlier_seconds(jobs)
    times = [known.get(kind_of_job(job)) for job in needed]
    return None if None in times else sum(times)


@contextmanager
def planned_workflow(study: Path, folder: Path, checkout: Path = CHECKOUT) -> Iterator[Workflow]:
    """Give the workflow as Snakemake has it in memory after a dry run."""
    profile = checkout / "profiles" / "default" / "profile.yaml"
    options = yaml.safe_load(profile.read_text(encoding="utf-8"))
    with _silence(), SnakemakeApi(OutputSettings(dryrun=True, quiet=PLAN_ONLY)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[study.absolute()]),
            snakefile=checkout / "Snakefile",
            workdir=folder,
        )
        dag = DAGSettings(
            rerun_triggers=RerunTrigger.parse_choices_set(options["rerun-triggers"]),
            force_incomplete=options["rerun-incomplete"],
        )
        workflow.dag(dag).execute_workflow(executor="dryrun")
        # Snakemake's programming interface returns no plan; this is where it keeps it.
        yield workflow._workflow


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what Snakemake tells about its work, but not its warnings, from the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _rule_and_output(job: Job) -> tuple[str, str]:
    return job.rule.name, str(job.output[0])


def _reasons(dag: DAG, job: Job) -> Iterator[str]:
    """Yield the job's own reasons, then the rules whose jobs run before it and change its input."""
    reason = dag.reason(job)
    there = [file for file in job.output if Path(file).exists()]
    if not there:
        yield NEW
        return
    if reason.forced:
        yield "was stopped before its end"
    # What was made once has a record; the rest came into the job with the study's changes.
    known = dag.workflow.persistence.input
    gone = [file for file in reason.missing_output if known(file) is not None]
    if gone:
        yield f"gone: {_listed(gone)}"
    if len(gone) < len(reason.missing_output):
        yield PARTLY_NEW
    # Outputs can be of runs of their own, as weights on the way that were not kept the last time.
    changes = (list(_changes(dag, job, output)) for output in there)
    yield from next(filter(None, changes), ())
    if reason.software_stack_changed:
        yield "software environment changed"
    if reason.updated_input:
        yield f"newer than what it made: {_listed(reason.updated_input)}"
    makers = {
        other.rule.name
        for other, files in dag.dependencies[job].items()
        if not reason.updated_input_run.isdisjoint(files)
    }
    if makers:
        yield f"after {', '.join(sorted(makers))}"


def _changes(dag: DAG, job: Job, output: str) -> Iterator[str]:
    """Yield what Snakemake recorded of a job and is otherwise now: code, settings, input files."""
    records = dag.workflow.persistence
    change = records.params_changed(job, output)
    # Snakemake keeps Python's text of each param.
    before, now = (
        settings(map(ast.literal_eval, params)) for params in (change.only_old, change.only_new)
    )
    other_code = before.pop("code", None) != now.pop("code", None)
    yield from _change_of_folder(before.pop("folder", None), now.pop("folder", None))
    chosen_anew = _choices(before) != _choices(now)
    if other_code and not chosen_anew:
        made = Path(output).stat().st_mtime
        newer = [name for name, changed in _times_of_code(dag).items() if changed > made]
        yield f"code changed: {_listed(newer)}" if newer else "code changed"
    if changes := list(differences(before, now)):
        what = "settings, and with them the code," if other_code and chosen_anew else "settings"
        yield f"{what} changed: {_listed(changes)}"
    new = set(map(str, job.input))
    # None where nothing is recorded.
    recorded = records.input(output)
    old = new if recorded is None else set(recorded)
    counts = {"more": len(new - old), "fewer": len(old - new)}
    if any(counts.values()):
        yield "other input files: " + ", ".join(f"{n} {word}" for word, n in counts.items() if n)


@lru_cache(maxsize=1)  # once for all jobs of a plan
def _times_of_code(dag: DAG) -> dict[str, float]:
    """Return when each file of the planned checkout's code, and of the user's own, changed."""
    scripts = Path(dag.workflow.main_snakefile).parent / "scripts"
    ignored = {scripts / path.relative_to(LIBRARY.parent) for path in IGNORED}
    files = {str(path.relative_to(scripts)): path for path in scripts.rglob("*.py")}
    files = {name: path for name, path in files.items() if path not in ignored}
    if parts := dag.workflow.config.get(PARTS):
        own = Path(parts)
        files |= {shown(path): path for path in (own, *beside(own).values())}
    return {name: path.stat().st_mtime for name, path in files.items()}


def _choices(settings: Any, key: str = "") -> set[tuple[str, str]]:
    """Return what settings choose by name: another choice is other code, which nobody changed."""
    if not isinstance(settings, dict):
        return {(key, str(settings))} if key in CHOOSING else set()
    families = {("families", name) for name in settings if key == "families"}
    return families.union(*(_choices(child, name) for name, child in settings.items()))


def _change_of_folder(before: dict | None, now: dict | None) -> Iterator[str]:
    """Yield what happened to a folder of raw data (`data.raw_files.folder_state`)."""
    if before == now or now is None:
        return
    if before is None:
        yield f"the folder {now['path']} is read"
    elif before["files"] == now["files"]:
        yield f"files in {now['path']} have other names, sizes or times"
    else:
        yield f"{now['path']} has {now['files']} files, before {before['files']}"


def differences(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """Yield each value that differs between two documents: its path, the old, the new."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            values = before.get(key, ABSENT), now.get(key, ABSENT)
            yield from differences(*values, f"{path}.{key}".strip("."))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from differences(old, new, f"{path}[{index}]")
    elif ABSENT in (before, now) and isinstance(before, dict) | isinstance(now, dict):
        yield f"{path} {'is new' if before is ABSENT else 'is gone'}"
    elif before != now:
        old, new = _short(before), _short(now)
        yield path if old == new else f"{path} {old} → {new}"


def _short(value: Any) -> str:
    text = "nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else "…"


def _listed(items: Iterable[Any], shown: int = 2) -> str:
    texts = sorted(map(str, items))
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more} more" if more > 0 else "")
