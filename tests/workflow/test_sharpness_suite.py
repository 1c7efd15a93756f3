"""A study with every measure of sharpness, at a size that takes seconds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import ALONG, ROOT, Project, made_once, study_with

from minimascope.registry import SHARPNESS
from minimascope.sharpness.perturbation import OF_QUOTIENT
from minimascope.tables_and_figures import FIGURES

pytestmark = pytest.mark.workflow

SUITE = study_with(
    {
        "seeds": [0],
        "conditions": {"baseline": {}, "augmentation": {"augment": {"crop_padding": 1}}},
        "evaluation.corruptions": None,
        "toy_functions": False,
        "sharpness": {
            "on": ["final", "initial"],
            "view": ["clean", "augmented"],
            "forward": {},
            "perturbation": {"samples": 4, "adaptive": {"samples": 4, "steps": 2}},
            "hessian": {
                "eigenvalues": 2,
                "smallest_eigenvalues": 1,
                "trace_products": 6,
                "density_probes": 1,
                "density_steps": 5,
                "parameters": "*.head.*",
            },
            "landscape": {"points": 3, "line_points": 5, "direction_seeds": [42, 43]},
            "input": {"draws": 2},
            "norms": {"samples": 2, "steps": 3},
            "interpolation": {
                "lines": [["initial", "baseline"]],
                "planes": [["initial", "baseline", "augmentation"]],
                "points": 3,
                "matched": True,
                "bezier": {"steps": 3},
                # So that the ends of lines are the networks that are measured.
                "batchnorm": "interpolated",
            },
        },
    }
)
# Norms of a network that has learnt little.
DEFINED = {"log_product_of_spectral_norms", "frobenius_distance", "log_path_norm"}
# 2 conditions and the initial weights, of which one and the initial weights in two views
MEASURED = [
    *(("baseline", "clean"), ("augmentation", "clean"), ("augmentation", "augmented")),
    *(("initial", "clean"), ("initial", "augmented")),
]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study with everything on, run once for all workers; not to be changed."""

    def run(folder: Path) -> None:
        Project(ROOT, folder).finish(SUITE)

    return Project(ROOT, made_once(tmp_path_factory, "suite", run))


@pytest.fixture(scope="module")
def measures(suite: Project) -> pd.DataFrame:
    return pd.read_csv(suite.results("tables/measures.csv"))


def test_every_measure_of_every_family_is_in_the_table(suite: Project, measures: pd.DataFrame):
    found = measures[measures.family.isin(SHARPNESS)]
    by_model = found.groupby(["condition", "view"]).measure.agg(set)
    assert set(by_model.index) == set(MEASURED)
    everything = {name for family in SHARPNESS.values() for name in family.gives}
    # There is no squared error and no attention.
    everything -= {"train_label_impurity", *OF_QUOTIENT}
    # After two epochs networks are too often wrong for a margin.
    undefined = {}
    for view in ("", "-augmented"):
        path = suite.results(f"measures/digits/resnet18/augmentation/seed0/norms{view}.json")
        undefined[view] = set(json.loads(path.read_text())["details"]["left_out"])
        assert undefined[view] < set(SHARPNESS["norms"].gives) - DEFINED
    assert by_model["augmentation", "clean"] == everything - undefined[""]
    without = everything - undefined["-augmented"]
    assert without - by_model["augmentation", "augmented"] == {
        *("sam_sharpness_published", "sam_sharpness_null")
    }
    assert np.isfinite(found.value).all()
    # An attack takes its time, and so some samples alone.
    attacked = found.measure.str.endswith("boundary_distance_attack")
    assert set(found.n[attacked]) == {60, 100}
    found = found[~attacked]
    of_test = found.measure.str.startswith("test_")
    assert set(found.n[~of_test]) == {60}
    assert set(found.n[of_test]) == {1797 - 60}


def test_the_published_value_of_an_augmentation_condition_is_mostly_noise(measures: pd.DataFrame):
    values = measures[measures.view == "clean"].set_index(["condition", "measure"]).value
    augmented, plain = values["augmentation"], values["baseline"]
    assert augmented["sam_sharpness_null"] > 0.9 * augmented["sam_sharpness_published"]
    assert augmented["sam_sharpness_published"] > 50 * augmented["sam_sharpness"]
    assert plain["sam_sharpness_null"] < 1e-6


def test_the_table_of_sharpness_marks_it(suite: Project):
    table = suite.results("tables/sharpness.md").read_text(encoding="utf-8")
    (row,) = (line for line in table.splitlines() if line.startswith("| augmentation  "))
    assert "†" in row
    assert "†: less than 2 times its noise floor" in table


def test_curves_of_all_models_are_gathered(suite: Project):
    landscape = pd.read_csv(suite.results("tables/landscape.csv"))
    models = landscape.groupby(["condition", "view"]).size()
    assert models.to_dict() == dict.fromkeys(MEASURED, 2 * (9 + 5))
    spectrum = pd.read_csv(suite.results("tables/hessian.csv"))
    counts = spectrum.groupby("quantity").size()
    assert counts.to_dict() == {"eigenvalue": 5 * 3, "node": 5 * 5}
    between = pd.read_csv(suite.results("tables/interpolation.csv"))
    assert between.path.nunique() == 2
    assert set(between.kind) == {"straight", "matched", "bezier", "plane"}
    barriers = pd.read_csv(suite.results("tables/barriers.csv"))
    assert barriers[["kind", "seed", "end_seed"]].values.tolist() == [
        [kind, 0, 0] for kind in ("straight", "matched", "bezier")
    ]
    assert set(between.model.dropna()) == {"initial", "baseline", "augmentation"}


def test_the_centre_of_a_landscape_and_the_ends_of_a_line_are_the_training_loss(
    suite: Project, measures: pd.DataFrame
):
    losses = measures[measures.measure == "train_loss"].set_index(["condition", "view"]).value
    landscape = pd.read_csv(suite.results("tables/landscape.csv"))
    centres = landscape[(landscape.x == 0) & (landscape.y.fillna(0) == 0)]
    for (condition, view), rows in centres.groupby(["condition", "view"]):
        assert rows.loss.to_numpy() == pytest.approx(losses[condition, view], rel=1e-5)
    between = pd.read_csv(suite.results("tables/interpolation.csv"))
    for row in between[between.model.notna()].itertuples():
        assert row.loss == pytest.approx(losses[row.model, "clean"], rel=1e-4)


def test_a_filter_of_layers_is_recorded_with_its_size(suite: Project):
    path = suite.results("measures/digits/resnet18/baseline/seed0/hessian.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["settings"]["parameters"] == "*.head.*"
    assert document["details"]["parameters"] == 32 * 10 + 10
    assert document["details"]["largest_eigenvalues"]["converged"]


def test_figures_and_the_interactive_page_are_drawn(suite: Project):
    drawn = {path.name for path in suite.results("figures/digits/resnet18").iterdir()}
    # Nothing of it is published, swept, corrupted, cut along eigenvectors, or kept on the way.
    wanted = {*FIGURES} - {"agreement", "sweep", "corruptions", "landscape_eigenvectors"} - ALONG
    wanted = {f"{name}.{end}" for name in wanted for end in ("svg", "pdf")}
    assert drawn == wanted | {"landscape.html"}


def test_a_damaged_surface_is_refused_by_name(suite: Project, tmp_path: Path):
    copied = Project(ROOT, shutil.copytree(suite.folder, tmp_path / "copied"))
    path = copied.results("measures/digits/resnet18/baseline/seed0/landscape.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    copied.results("tables/landscape.csv").unlink()
    allowed = ["--allowed-rules", "gather", "--", "results/small/tables/landscape.csv"]
    result = copied.run(SUITE, *allowed)
    assert result.returncode == 1
    assert "landscape.npz: not a readable .npz file" in result.stdout
    assert "Traceback" not in result.stdout
