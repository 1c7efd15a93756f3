"""Every command that the documents name is run, or planned where that takes long."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ROOT, copy_workflow

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("make", "snakemake", ".venv/bin/snakemake", "python", "apptainer")
BIN = Path(sys.executable).parent
# What documents leave to the reader.
PLACES = {"…": "config.yaml", "<name>": "digits_sharpness", "STUDY ": "config.yaml "}
# `python train.py` is a reader's own script, run by test_any_network_page.py.
MENTIONED = {"snakemake --configfile", "python train.py"}
# Too long for a test, or of the repository itself: make prints what it would do. `make test` and
# `make trials` are what runs this.
LONG = {"test", "trials", "bench", "bench-gpu", "docs", "clean"}


def commands_of(text: str) -> set[str]:
    """Return the commands in blocks and between backquotes, without comments."""
    blocks = re.findall(r"^ {4}(\S.*)$", text, flags=re.MULTILINE)
    quoted = re.findall(r"`([^`\n]+)`", text)
    commands = {re.split(r"\s+#", line)[0].strip() for line in [*blocks, *quoted]}
    commands = {command for command in commands if command.split()[0] in PROGRAMS}
    # A program's or an option's name alone is no command.
    return {command for command in commands if " " in command and command not in MENTIONED}


COMMANDS = sorted(set().union(*(commands_of(path.read_text("utf-8")) for path in DOCUMENTS)))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the commands need, and a folder in which they may write."""
    folder = copy_workflow(tmp_path_factory.mktemp("documented") / "minimascope")
    for name in ("Makefile", "requirements.txt", "constraints.txt"):
        shutil.copy2(ROOT / name, folder / name)
    for name in ("studies", "benchmarks", "tools"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def test_the_documents_name_the_commands_that_matter():
    assert len(COMMANDS) > 20
    targets = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert {"run", "test", "dry-run", "explain", "check", "compare"} <= targets


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_works(checkout: Path, command: str):
    for place, filled in PLACES.items():
        command = command.replace(place, filled)
    program, *arguments = command.split()
    if program == "apptainer":
        pytest.skip("needs Apptainer and an image of several gigabytes")
    if "conda" in arguments and not shutil.which("conda"):
        pytest.skip("needs conda")
    run = shortened(program.rpartition("/")[2], arguments)
    result = subprocess.run(run, cwd=checkout, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def shortened(program: str, arguments: list[str]) -> list[str | Path]:
    """Return a command that takes seconds and fails where the documented one would."""
    if program == "python":
        return [sys.executable, arguments[0], "--help"]
    if program == "snakemake":
        cores = [] if "--cores" in arguments or "--profile" in arguments else ["--cores", "1"]
        if "--report" in arguments:  # of a finished study; made in test_snakemake_report.py
            place = arguments.index("--report")
            arguments = arguments[:place] + arguments[place + 2 :]
        return [BIN / "snakemake", *arguments, *cores, "--dry-run", "--quiet", "all"]
    target, *variables = arguments
    # The environment that the tests run in, in place of one of the copy's own.
    given = [*variables, f"BIN={BIN}", "READY=Makefile"]
    if target in LONG or target == "compare":
        return ["make", "--dry-run", target, *given]
    return ["make", "dry-run" if target == "run" else target, *given]
