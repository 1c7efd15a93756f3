"""Requirements, conda environments and the container recipe say the same, and what is needed."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = ("scripts", "tools", "tests", "benchmarks")
ENVIRONMENTS = ("cpu", "cuda")
# Pinned, though no module imports them.
INDIRECT = {
    "jinja2",  # pandas writes LaTeX with it
    "tabulate",  # pandas writes Markdown with it
    # Commands.
    "snakemake",
    "snakemake-executor-plugin-slurm",
    "pytest-xdist",
    "ruff",
    "snakefmt",
}
# Run outside the jobs.
PLANNING = ("estimate", "killed", "pace", "planning", "screen", "status")
OF_PLANNING = {ROOT / f"scripts/minimascope/jobs/{name}.py" for name in PLANNING}
OF_THE_WORKFLOW = {"snakemake", "snakemake-executor-plugin-slurm"}


def pins(text: str) -> dict[str, str]:
    """Return versions by the name of the package, in the spelling of package indexes."""
    found = re.findall(r"^ *(?:- )?([A-Za-z][\w.-]*)==([\w.]+)", text, flags=re.MULTILINE)
    return {normal(name): version for name, version in found}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


REQUIREMENTS = read("requirements.txt")
RUNTIME = pins(REQUIREMENTS.split("# development")[0])
CONSTRAINTS = pins(read("constraints.txt"))
SUPPORTED = re.findall(r"3\.\d+", re.search(r"Python (3\..*?),? GNU", read("README.md"))[1])


def modules_in(*folders: str) -> list[Path]:
    return [file for folder in folders for file in (ROOT / folder).rglob("*.py")]


# Benchmarks compare with these where somebody has installed them.
OPTIONAL = {"pyhessian", "hessian_eigenthings"}


def imported(files: list[Path]) -> set[str]:
    """Return the packages that modules import, which Python does not bring along."""
    own = {file.stem for file in modules_in(*OURS)} | {"minimascope"}
    modules = {module for file in files for module in _modules(file)}
    packages = packages_distributions()
    foreign = modules - own - OPTIONAL - sys.stdlib_module_names
    return {normal(packages[module][0]) for module in foreign}


def _modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def environment(name: str) -> dict:
    return yaml.safe_load(read(f"envs/{name}.yaml"))


def section(name: str) -> str:
    """Return a section of the container recipe."""
    return re.search(rf"^%{name}\n((?: .*\n|\n)*)", read("envs/container.def"), re.MULTILINE)[1]


def test_constraints_pin_every_requirement_to_the_same_version():
    required = pins(REQUIREMENTS)
    assert len(required) > len(RUNTIME) > 20
    assert {name: CONSTRAINTS.get(name) for name in required} == required


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_have_the_pins_of_the_requirements_and_no_others(name):
    expected = {key: pin for key, pin in RUNTIME.items() if key not in OF_THE_WORKFLOW}
    assert pins(read(f"envs/{name}.yaml")) == expected
    (pip,) = (item["pip"] for item in environment(name)["dependencies"] if isinstance(item, dict))
    assert len(pip) == len(expected)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_have_a_python_that_is_supported(name):
    assert {"3.11", "3.12", "3.13"} == set(SUPPORTED)
    (python,) = (
        item.removeprefix("python=")
        for item in environment(name)["dependencies"]
        if str(item).startswith("python")
    )
    assert python in SUPPORTED


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_jobs_find_every_package_that_they_import_in_a_conda_environment(name):
    jobs = [file for file in modules_in("scripts") if "job(snakemake)" in file.read_text("utf-8")]
    assert len(jobs) >= 20
    library = set(modules_in("scripts/minimascope")) - OF_PLANNING
    assert imported([*jobs, *library]) <= pins(read(f"envs/{name}.yaml")).keys()


def test_every_package_that_tests_and_benchmarks_import_is_pinned():
    assert imported(modules_in(*OURS)) <= CONSTRAINTS.keys()


def test_every_requirement_is_used():
    used = imported(modules_in(*OURS)) | INDIRECT
    assert pins(REQUIREMENTS).keys() <= used


def test_the_container_is_installed_from_the_requirements_and_repeats_no_pin():
    copied = dict(line.split() for line in section("files").splitlines() if line)
    assert all((ROOT / source).exists() for source in copied)
    # The command with which `make` fills the local environment.
    (local,) = re.findall(r"-m pip install (.*)", read("Makefile"))
    (inside,) = re.findall(r"python -m pip install (.*)", section("post"))
    for source, target in copied.items():
        inside = inside.replace(target, source)
    assert inside.replace("--no-cache-dir ", "") == local.replace("--quiet ", "")
    assert not pins(read("envs/container.def"))


def test_the_container_has_a_python_that_is_supported():
    (image,) = re.findall(r"^From: python:(\d+\.\d+)-slim$", read("envs/container.def"), re.M)
    assert image in SUPPORTED


@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_the_commands_of_the_container_are_valid_shell(name):
    result = subprocess.run(["sh", "-n"], input=section(name), text=True, capture_output=True)
    assert section(name).strip()
    assert result.returncode == 0, result.stderr


def test_what_the_container_checks_after_its_making_holds_here():
    (command,) = re.findall(r'python -c "(.*)"', section("test"))
    subprocess.run([sys.executable, "-c", command], check=True)
