"""Two studies never share an output, whatever they are called."""

import copy
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from rerun_cases import STUDY as EVERY_RULE
from small_study import STUDY, Project, study_with

from minimascope.jobs.planning import planned_workflow

pytestmark = pytest.mark.workflow

# Names that stand for something else on the path of some output, or look as if they did.
HOSTILE = {
    **copy.deepcopy(EVERY_RULE),
    "study": "logs",
    "datasets": {name: {"source": "digits"} for name in ("data", "toy_geometry", "initial")},
    "networks": {
        name: {"architecture": "vit", "width": 0.1}
        for name in ("initial", "corrupted", "landscape")
    },
    "conditions": {
        **{name: {} for name in ("seed0", "model", "evaluation", "checkpoint")},
        "forward": {"augment": {"crop_padding": 1}},
        "forward_augmented": {},
    },
    "seeds": [0, 1, 10],
    "sharpness": {
        "on": ["final", "initial"],
        "view": ["clean", "augmented"],
        "forward": {},
        "perturbation": {},
        "hessian": {},
        "landscape": {},
        "interpolation": {"lines": [["initial", "seed0"]]},
    },
    "evaluation": {
        **EVERY_RULE["evaluation"],
        "corruptions": {"names": ["fog"]},
        "network_ensembles": ["initial", "corrupted"],
    },
}


FILES = ("pictures.zip", "sounds.csv", "sounds.zip", "cnn10.pth")


def written_files(job: Any) -> list[str]:
    """Return all that a job writes."""
    files = [*job.output, *job.log, job.benchmark, job.params.get("checkpoint")]
    return [str(file) for file in files if file]


@pytest.mark.parametrize("study", [EVERY_RULE, HOSTILE], ids=["every rule", "hostile names"])
def test_all_that_a_job_writes_is_its_own_and_in_the_folder_of_the_study(
    project: Project, study: dict[str, Any]
):
    home = f"results/{study['study']}/"
    for name in (*FILES, "theirs-0.pt", "theirs-1.pt"):
        (project.folder / "data").mkdir(exist_ok=True)
        (project.folder / "data" / name).touch()
    with planned_workflow(project.study_file(study), project.folder) as workflow:
        jobs = [job for job in workflow.dag.jobs if job not in workflow.dag.targetjobs]
        files = [file for job in jobs for file in written_files(job)]
        shared = {str(job.output[0]) for job in jobs if job.rule.name == "download"}
        published = {file for file in files if file.startswith("results/published/")}
    # As a disk sees them that does not tell capitals from small letters.
    assert len({file.casefold() for file in files}) == len(files) > 100
    assert {file for file in files if not file.startswith(home)} == shared | published
    assert not any(".." in Path(file).parts for file in files)


NAMES = {
    "a study in another's folder": ({"study": "small/tables"}, "study: 'small/tables' is no name"),
    "a study above the results": ({"study": ".."}, "study: '..' is no name"),
    "a study that ends its line": ({"study": "small\n"}, "study: 'small\\n' is no name"),
    "a study that is another one's other protocol": (
        {"study": "small-published"},
        "study: results/small-published is for small under protocol published; rename it",
    ),
    "a study that is what no study decides": (
        {"study": "Published"},
        "study: results/Published is for what no study decides; rename it",
    ),
    "a folder that Snakemake would read a wildcard in": (
        {"data_dir": "raw/{dataset}"},
        "data_dir: '{' cannot stand in a path",
    ),
    "a data set with a path for a name": (
        {"datasets": {"a/b": {"source": "digits"}}},
        "datasets: 'a/b' is no name",
    ),
    "a condition with the name of the initial weights": (
        {"conditions.initial": {}},
        "conditions.initial: this is the name of the weights before training; rename it",
    ),
    "conditions that differ in capitals": (
        {"conditions.Baseline": {}},
        "conditions.Baseline: differs from baseline only in its capitals; rename one",
    ),
    "networks that differ in capitals": (
        {"networks.ResNet18": {"architecture": "resnet18"}},
        "networks.ResNet18: differs from resnet18 only in its capitals; rename one",
    ),
    "data sets that differ in capitals": (
        {"datasets.Digits": {"source": "digits"}},
        "datasets.Digits: differs from digits only in its capitals; rename one",
    ),
}


@pytest.mark.parametrize(("changes", "message"), NAMES.values(), ids=NAMES)
def test_a_name_under_which_outputs_could_collide_is_refused(
    project: Project, changes: dict, message: str
):
    with pytest.raises(SystemExit) as refusal:
        project.plan(study_with(changes))
    assert str(refusal.value).startswith(f"error in the configuration: {message}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("folder", ["raw/", "./raw", "r a w", "$HOME"])
def test_a_download_goes_where_the_data_are_looked_for(project: Project, folder: str):
    study = study_with({"data_dir": folder, "datasets": {"cifar10": {"source": "cifar10"}}})
    plan = project.plan(study)
    (download,) = (job.output for job in plan.jobs if job.rule == "download")
    assert Path(download) == Path(folder, "cifar-10-python.tar.gz")


DATA = "results/small/data/digits/prepared.safetensors"


def run(project: Project, study: dict[str, Any], file: str) -> subprocess.CompletedProcess:
    """Run the cheapest job of a study that a file of this name holds."""
    command = project.command(study, DATA)
    named = project.study_file(study, file)
    command[command.index("--configfile") + 1] = str(named)
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_a_second_file_with_another_study_of_the_same_name_is_refused(project: Project):
    assert run(project, STUDY, "mine").returncode == 0
    data = (project.folder / DATA).read_bytes()
    other = study_with({"datasets.digits.train_size": 50})
    refused = run(project, other, "copy")
    assert refused.returncode == 1
    (line,) = (line for line in refused.stderr.splitlines() if "error" in line)
    assert line.startswith("error in the configuration: study: ../mine.yaml has this name, too")
    assert "Traceback" not in refused.stderr
    assert (project.folder / DATA).read_bytes() == data
    # The same file may change, and so may its name.
    assert run(project, other, "mine").returncode == 0
    project.study_file(other, "mine").rename(project.folder.with_name("moved.yaml"))
    assert run(project, STUDY, "moved").returncode == 0
    assert (project.folder / DATA).read_bytes() == data


@pytest.mark.slow
def test_two_studies_run_at_the_same_time_in_the_same_folder(project: Project):
    first, second = (study_with({"study": name}) for name in ("first", "second"))
    targets = [f"models/digits/resnet18/baseline/seed{seed}/model.safetensors" for seed in (0, 1)]
    with subprocess.Popen(
        project.command(first, *(f"results/first/{target}" for target in targets))
    ) as running:
        deadline = time.monotonic() + 120
        while not list((project.folder / "results").glob("first/logs/*/*")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        command = project.command(second, "results/second/data/digits/prepared.safetensors")
        file = project.study_file(second, "second")
        command[command.index("--configfile") + 1] = str(file)
        beside = subprocess.run(command, capture_output=True, text=True)
        assert running.poll() is None
        assert beside.returncode == 0, beside.stderr
        assert running.wait() == 0
