"""A study of toy functions alone: run to its end, killed on its way, and planned."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT, Project, copy_workflow, made_once, study_with

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
LONG = study_with(
    {"toy_fits.epochs": [6000], "toy_fits.functions": ["booth"], "toy_fits.at_once": 1}, TOYS
)
NETWORKS = "models/toy_fits/booth.safetensors"


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
    assert counts == [["2"], ["1"]]


def test_a_study_of_toy_functions_alone_makes_their_tables_and_figures_only(toys: Project):
    made = {str(path.relative_to(toys.folder / RESULTS)) for path in _files(toys)}
    assert made == {
        *(f"models/toy_fits/{name}.safetensors" for name in ("sphere", "booth")),
        *(f"measures/toy_fits/{name}.json" for name in ("sphere", "booth")),
        *(f"tables/toy_fits{end}" for end in (".csv", "_summary.csv", ".md", ".html")),
        *(
            f"figures/toy_fits-{name}.{end}"
            for name in ("losses", "sharpness", "equal_loss")
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
    assert planned == {"toy_sharpness": 2} | after
    one_more = ["sphere", "booth", "beale"]
    planned = toys.planned(study_with({"toy_fits.functions": one_more}, TOYS))
    assert planned == {"toy_fits": 1, "toy_sharpness": 1} | after


def test_all_functions_can_be_learnt_in_one_job(project: Project):
    planned = project.planned(study_with({"toy_fits.together": True}, TOYS))
    assert (planned["toy_fits"], planned["toy_sharpness"]) == (1, 1)


def test_the_report_shows_the_figures_and_no_networks_on_data(toys: Project):
    text = (toys.folder / RESULTS / "report.html").read_text(encoding="utf-8")
    assert '<figure id="figures-toy_fits-equal_loss"' in text
    assert "when what they learn is known exactly?" in text
    assert "What each measure is" not in text


def _fit(project: Project) -> bytes:
    project.finish(LONG, "--", str(RESULTS / NETWORKS))
    return (project.folder / RESULTS / NETWORKS).read_bytes()


def test_a_killed_fit_continues_and_ends_with_the_same_bytes(project: Project, tmp_path: Path):
    (tmp_path / "undisturbed").mkdir()
    expected = _fit(Project(ROOT, tmp_path / "undisturbed"))
    checkpoint = RESULTS / "models" / "toy_fits" / "booth-checkpoint-1.safetensors"
    kept = project.kill_once_kept(LONG, str(RESULTS / NETWORKS), checkpoint)
    assert 0 < kept < 6000
    assert project.run(LONG, "--unlock").returncode == 0
    assert _fit(project) == expected
    assert not list((project.folder / checkpoint).parent.glob("*checkpoint*"))
