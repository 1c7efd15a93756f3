"""A job that a signal kills is told in one line: rule, data or model, signal and where to look."""

import pytest
from small_study import Project, copy_workflow, study_with

pytestmark = pytest.mark.workflow

SIGNALS = {"aborted": "SIGABRT", "starved": "SIGKILL", "ended": "SIGTERM"}
STUDY = study_with({"datasets": {name: {"source": "digits", "train_size": 60} for name in SIGNALS}})


def log_of(dataset: str) -> str:
    return f"results/small/logs/prepare/{dataset}.log"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A run whose preparations of data are killed, each by another signal, and its screen."""
    folder = tmp_path_factory.mktemp("killed")
    checkout = copy_workflow(folder / "checkout")
    script = checkout / "scripts" / "prepare.py"
    text = script.read_text()
    kill = f"    os.kill(os.getpid(), getattr(signal, {SIGNALS}[snakemake.wildcards.dataset]))\n"
    assert text.count("with job(snakemake):\n") == 1
    text = text.replace("with job(snakemake):\n", f"with job(snakemake):\n{kill}")
    script.write_text(f"import os\nimport signal\n\n{text}")
    project = Project(checkout, folder / "run")
    project.folder.mkdir()
    targets = [f"results/small/data/{name}/prepared.safetensors" for name in SIGNALS]
    result = project.run(STUDY, "--", *targets)
    assert result.returncode == 1, result.stdout
    return project, result.stdout


def line_about(dataset: str, screen: str) -> str:
    # Snakemake shows the end of a failed job's log, too.
    (line,) = {line for line in screen.splitlines() if f"error: prepare {dataset}: " in line}
    return line


@pytest.mark.parametrize("dataset", SIGNALS)
def test_one_line_names_rule_data_signal_and_log(killed, dataset):
    project, screen = killed
    line = line_about(dataset, screen)
    assert f"killed by {SIGNALS[dataset]}, " in line
    assert line.endswith(f"[{log_of(dataset)}]")
    assert (project.folder / log_of(dataset)).read_text().splitlines()[-1] == line


def test_the_log_of_a_fault_in_compiled_code_has_the_stack(killed):
    project, screen = killed
    log = (project.folder / log_of("aborted")).read_text()
    assert "Fatal Python error: Aborted" in log
    assert "prepare.py" in log
    assert "the end of the log says where" in line_about("aborted", screen)
    assert "docs/environments.md" in line_about("aborted", screen)


def test_what_killed_without_a_fault_of_the_code_is_not_called_one(killed):
    _, screen = killed
    assert "memory runs out" in line_about("starved", screen)
    for dataset in ("starved", "ended"):
        assert "fault" not in line_about(dataset, screen)
