"""From arrays to tidy tables."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minimascope.analysis.curves import PATH, eigenvectors, hessian, interpolation, landscape

RUN = {"dataset": "d", "network": "n", "condition": "baseline", "seed": "0"}


class Files(list):
    """Paths that have names, too."""


def test_a_landscape_becomes_points_of_grids_and_of_lines():
    surfaces = np.arange(8.0).reshape(2, 2, 2)
    arrays = {
        "coordinates": np.array([-1.0, 1.0]),
        "surfaces": surfaces,
        "line_coordinates": np.array([-1.0, 0.0, 1.0]),
        "lines": np.arange(6.0).reshape(2, 3),
    }
    details = {"direction_seeds": [42, 43], "unit": "squared outputs"}
    document = {"run": RUN, "view": "clean", "details": details}
    table = landscape({"a.json": document}, [arrays])
    assert list(table.columns) == [*RUN, "view", "direction_seed", "unit", "x", "y", "loss"]
    assert set(table["unit"]) == {"squared outputs"}
    grid, line = table[table.y.notna()], table[table.y.isna()]
    assert len(grid) == 8
    assert len(line) == 6
    # the first axis of a surface is x, the second y
    point = grid[(grid.direction_seed == 43) & (grid.x == 1) & (grid.y == -1)]
    assert point.loss.item() == surfaces[1, 1, 0]
    del arrays["lines"], arrays["line_coordinates"]
    assert landscape({"a.json": document}, [arrays]).y.notna().all()


def test_a_plane_along_eigenvectors_becomes_points_with_what_curvature_predicts():
    losses = np.arange(4.0).reshape(2, 2)
    arrays = {
        "eigenvector_coordinates": np.array([-1.0, 1.0]),
        "eigenvector_losses": losses,
        "eigenvector_prediction": 10 * losses,
    }
    details = {"eigenvectors": {"eigenvalues": [5, 2]}, "unit": "nats"}
    document = {"run": RUN, "view": "clean", "details": details}
    table = eigenvectors({"a.json": document}, [arrays])
    point = table[(table.x == 1) & (table.y == -1)].iloc[0]
    assert (point.loss, point.prediction) == (losses[1, 0], 10 * losses[1, 0])
    assert (point.eigenvalue_x, point.eigenvalue_y, point["view"]) == (5, 2, "clean")
    assert len(table) == 4


def test_a_spectrum_becomes_eigenvalues_and_nodes():
    arrays = {
        "largest_eigenvalues": np.array([3.0, 2.0]),
        "largest_residuals": np.array([1e-6, 1e-5]),
        "smallest_eigenvalues": np.array([-1.0]),
        "smallest_residuals": np.array([1e-7]),
        "nodes": np.array([[0.0, 1.0], [0.5, 2.0]]),
        "weights": np.array([[0.9, 0.1], [0.8, 0.2]]),
    }
    details = {"largest_eigenvalues": {"converged": True}}
    details |= {"smallest_eigenvalues": {"converged": False}}
    document = {"run": RUN, "view": "augmented", "details": details}
    table = hessian({"a.json": document}, [arrays])
    eigenvalues = table[table.quantity == "eigenvalue"]
    assert eigenvalues.value.tolist() == [3.0, 2.0, -1.0]
    assert eigenvalues.residual.tolist() == [1e-6, 1e-5, 1e-7]
    assert eigenvalues.converged.tolist() == [True, True, False]
    nodes = table[table.quantity == "node"]
    assert nodes.groupby("probe").weight.sum().round(12).tolist() == [1.0, 1.0]
    assert set(table["view"]) == {"augmented"}


def test_lines_and_planes_name_the_networks_that_lie_on_them():
    line, plane = PATH.join("ab"), PATH.join("abc")
    arrays = {
        f"{line}/straight/x": np.array([0.0, 0.5, 1.0]),
        f"{line}/straight/losses": np.array([1.0, 2.0, 3.0]),
        f"{line}/matched/x": np.array([0.0, 0.5, 1.0]),
        f"{line}/matched/losses": np.array([1.0, 1.5, 3.0]),
        f"{plane}/plane/x": np.array([0.0, 1.0]),
        f"{plane}/plane/y": np.array([0.0, 1.0]),
        f"{plane}/plane/losses": np.zeros((2, 2)),
        f"{plane}/plane/model_x": np.array([0.0, 1.0, 0.5]),
        f"{plane}/plane/model_y": np.array([0.0, 0.0, 1.0]),
        f"{plane}/plane/model_losses": np.array([1.0, 2.0, 3.0]),
    }
    run = {"dataset": "d", "network": "n", "seed": "0"}
    heights = {"path": line, "barrier": 0.25, "instability": 0.75}
    lines = [heights | {"kind": "straight"}, heights | {"kind": "matched", "barrier": 0.125}]
    document = {"run": run, "lines": lines, "unit": "nats"}
    table = interpolation({"a.json": document}, [arrays])
    assert table.groupby("kind").size().to_dict() == {"straight": 3, "matched": 3, "plane": 7}
    assert set(table.loc[table.kind == "matched", "barrier"]) == {0.125}
    on_line = table[table.kind == "straight"].set_index("x")
    assert on_line.model.dropna().to_dict() == {0.0: "a", 1.0: "b"}
    assert on_line.barrier.tolist() == [0.25] * 3
    assert on_line.instability.tolist() == [0.75] * 3
    heights = ["barrier", "instability"]
    assert table.loc[table.path == plane, heights].isna().all(axis=None)
    planes = {key: array for key, array in arrays.items() if key.startswith(plane)}
    assert interpolation({"a.json": document}, [planes]).barrier.isna().all()
    on_plane = table[(table.path == plane) & table.model.notna()]
    assert on_plane.model.tolist() == ["a", "b", "c"]
    assert on_plane.loss.tolist() == [1.0, 2.0, 3.0]


def test_progress_is_shown_from_the_first_file_on(tmp_path):
    (tmp_path / "a.json").write_text("damaged")
    script = Path(__file__).parents[2] / "scripts" / "gather.py"
    files = Files()
    files.documents = [f"{tmp_path}/a.json"] * 3
    task = SimpleNamespace(
        rule="gather",
        input=files,
        output=[],
        params={},
        config={},
        log=[tmp_path / "log"],
        wildcards=SimpleNamespace(gathered="hessian"),
    )
    with pytest.raises(SystemExit):  # since the first file is no JSON
        runpy.run_path(str(script), {"snakemake": task})
    bar, _, error = (tmp_path / "log").read_text().partition("error: ")
    assert "document 0 of 3" in bar
    assert "a.json" in error
