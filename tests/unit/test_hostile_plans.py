"""Snakemake itself on hostile studies: a plan or one line, and never a traceback."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fuzzed_studies import studies
from hypothesis import HealthCheck, Phase, assume, given, settings
from snakemake.api import SnakemakeApi
from snakemake.exceptions import MissingInputException
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)
from study_cases import ROOT, SCHEMA
from test_hostile_studies import FILES, STUDY

from minimascope.errors import InputError
from minimascope.study.loading import load_study

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

# More would only take longer.
MOST_RUNS = 12


def plan(config: dict, folder: Path) -> None:
    """Plan a study in this process, as `snakemake --dry-run` does."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    quiet = OutputSettings(quiet={Quietness.ALL}, dryrun=True)
    screen = io.StringIO()
    with (
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
        SnakemakeApi(quiet) as api,
    ):
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[path]),
            snakefile=ROOT / "Snakefile",
            workdir=folder,
        )
        workflow.dag(dag_settings=DAGSettings()).execute_workflow(executor="dryrun")


def test_whatever_is_accepted_can_be_planned(tmp_path):
    @settings(
        max_examples=40,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(studies())
    def check(config):
        try:
            study = load_study(config, SCHEMA)
        except InputError:
            assume(False)
        assume(len(study.pairs) * len(study.conditions) * len(study.seeds) <= MOST_RUNS)
        # Weights that a study names and nobody has are for Snakemake to tell.
        with contextlib.suppress(MissingInputException):
            plan(config, tmp_path)

    check()


def make(target: str, study: Path) -> subprocess.CompletedProcess:
    """Run make with this interpreter as if it were ready."""
    bin_folder = Path(sys.executable).parent
    command = ["make", "-C", ROOT, target, f"STUDY={study}", f"BIN={bin_folder}", "READY="]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("target", ["run", "report", "dry-run", "dag", "clean", "check"])
def test_make_refuses_a_hostile_study_before_snakemake_and_the_shell_see_it(tmp_path, target):
    marker, study = tmp_path / "marker", tmp_path / "study.yaml"
    template = FILES["a template"][0].replace("MARKER", str(marker))
    for text in (template, STUDY.replace("small", f'"$(touch {marker})"')):
        study.write_text(text)
        result = make(target, study)
        assert result.returncode == 2
        assert result.stderr.splitlines()[0].startswith("error in the configuration: ")
        assert not result.stdout.count("snakemake")
        assert not marker.exists()
