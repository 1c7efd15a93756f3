"""A study of toy functions alone: run to its end, killed on its way, and planned."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT, Project, copy_workflow, made_once, study_with
from tools import run_tool

pytestmark = pytest.mark.workflow

TOYS = {
    "study": "toys",
    "seeds": [1, 0],
    "toy_functions": True,
    "toy_fits": {
        "functions": ["sphere", "booth"],
        "points": 20,
        "test_points": 10,
        "width": 4,
        "lr": 0.05,
        "epochs": [60, 1],
        "losses": [1.0e6, 1.0e-9],
        "radii": [0.005, 0.5],
        "perturbations": 4,
    },
}
RESULTS = Path("results/toys")
TOY_FIGURES = ("losses", "sharpness", "equal_loss")
LONG = study_with({"toy_fits.epochs": [6000], "toy_fits.functions": ["booth"], "seeds": [0]}, TOYS)
NETWORKS = "models/toy_fits/booth-0.safetensors"
STATE = "models/toy_fits/booth-0-state-0.safetensors"
FITS = [f"{function}-{seed}" for function in ("sphere", "booth") for seed in (1, 0)]


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The toy study, run to its end once; not to be changed."""
    checkout = made_once(tmp_path_factory, "checkout", copy_workflow)

    def run(folder: Path) -> None:
        Project(checkout, folder).finish(TOYS)

    return Project(checkout, made_once(tmp_path_factory, "toys", run))


def test_the_report_counts_no_jobs_of_functions_that_are_gone(toys: Project, tmp_path: Path):
    project = Project(toys.checkout, shutil.copytree(toys.folder, tmp_path / "copied"))
    project.finish(study_with({"toy_fits.functions": ["booth"]}, TOYS))
    reports = [folder / RESULTS / "report.html" for folder in (toys.folder, project.folder)]
    counts = [re.findall(r">toy_fits</th>\s*<td>(\d+)</td>", r.read_text()) for r in reports]
    assert counts == [["4"], ["2"]]


def test_a_study_of_toy_functions_alone_makes_their_tables_and_figures_only(toys: Project):
    made = {str(path.relative_to(toys.folder / RESULTS)) for path in _files(toys)}
    assert made == {
        *(f"models/toy_fits/{name}{end}.safetensors" for name in FITS for end in ("", "-state-0")),
        *(f"measures/toy_fits/{name}.json" for name in FITS),
        *(f"tables/toy_fits{end}" for end in (".csv", "_summary.csv", ".md", ".html")),
        *(f"tables/toy_mirror{end}" for end in (".csv", ".md", ".html")),
        *(f"tables/toy_mirror_{name}.csv" for name in ("correlations", "points")),
        *(
            f"figures/{name}.{end}"
            for name in (*(f"toy_fits-{name}" for name in TOY_FIGURES), "toy_mirror")
            for end in ("svg", "pdf")
        ),
        "report.html",
    }
    geometry = (toys.folder / "results" / "published").glob("*/toy_geometry.*")
    assert {path.suffix for path in geometry} == {".csv", ".md", ".html", ".svg", ".pdf"}


def _files(project: Project) -> list[Path]:
    found = (project.folder / RESULTS).rglob("*")
    return [path for path in found if path.is_file() and not {"logs", "benchmarks"} & {*path.parts}]


def test_the_table_has_every_network_at_every_radius(toys: Project):
    table = pd.read_csv(toys.folder / RESULTS / "tables" / "toy_fits.csv")
    kept = table[table["epoch"].notna()]
    # Two functions and seeds; epochs 1 and 60, and the loss of a million, at two radii.
    assert len(kept) == 2 * 2 * 3 * 2
    assert len(table) - len(kept) == 2 * 2
    assert set(table["seed"]) == {0, 1}
    assert set(kept["radius"]) == {0.005, 0.5}
    assert kept[["sharpness", "standard_error", "train_loss", "test_loss"]].notna().all(axis=None)
    assert (kept.loc[kept["at"] == "loss", "train_loss"] <= 1e6).all()
    at_epochs = kept[kept["at"] == "epoch"]
    assert (at_epochs["epoch"] == at_epochs["value"]).all()
    losses = kept.pivot_table(index=["function", "seed"], columns="epoch", values="train_loss")
    assert (losses[60] < losses[1]).all()


def test_a_finished_toy_study_has_nothing_to_do(toys: Project):
    assert toys.planned(TOYS) == {}


def test_radii_are_measured_again_without_another_training(toys: Project):
    planned = toys.planned(study_with({"toy_fits.radii": [0.1]}, TOYS))
    after = {"gather": 1, "tables": 1, "plot": 1, "report": 1}
    assert planned == {"toy_sharpness": 4} | after


@pytest.mark.parametrize(
    "change", [{"toy_fits.functions": ["sphere", "booth", "beale"]}, {"seeds": [1, 0, 2]}]
)
def test_one_more_function_or_seed_leaves_the_fits_of_the_others(toys: Project, change: dict):
    planned = toys.planned(study_with(change, TOYS))
    assert planned["toy_fits"] == planned["toy_sharpness"] == 2


def test_all_functions_can_be_learnt_in_one_job(project: Project):
    planned = project.planned(study_with({"toy_fits.together": True}, TOYS))
    assert (planned["toy_fits"], planned["toy_sharpness"]) == (1, 1)


def test_the_report_shows_the_figures_and_no_networks_on_data(toys: Project):
    text = (toys.folder / RESULTS / "report.html").read_text(encoding="utf-8")
    assert '<figure id="figures-toy_fits-losses"' in text
    # All are below a million after their first epoch.
    assert "no network came to any of the losses" in text
    assert "when what they learn is known exactly?" in text
    assert "What each measure is" not in text


def _fit(project: Project) -> bytes:
    project.finish(LONG, "--", str(RESULTS / NETWORKS))
    return (project.folder / RESULTS / NETWORKS).read_bytes()


def test_a_killed_fit_is_told_and_ends_with_the_same_bytes(project: Project, tmp_path: Path):
    (tmp_path / "undisturbed").mkdir()
    expected = _fit(Project(ROOT, tmp_path / "undisturbed"))
    kept = project.kill_once_kept(LONG, str(RESULTS / NETWORKS), RESULTS / STATE)
    assert 0 < kept < 6000
    assert project.run(LONG, "--unlock").returncode == 0
    shown = run_tool("status", project.study_file(LONG), cwd=project.folder).stdout
    assert "0 of 1 fits of toy functions finished" in shown
    assert re.search(r"^interrupted: booth, seed 0: epoch \d+ of 6000$", shown, re.MULTILINE)
    assert _fit(project) == expected


def test_a_longer_fit_continues_a_finished_one_with_the_same_bytes(project: Project):
    expected = _fit(project)
    (project.folder / RESULTS / STATE).unlink()
    shorter = study_with({"toy_fits.epochs": [5000]}, LONG)
    project.finish(shorter, "--", str(RESULTS / NETWORKS))
    assert _fit(project) == expected
    log = (project.folder / RESULTS / "logs/toy_fits/booth-0.log").read_text()
    assert log.startswith("fits: epoch 5000 of 6000")
