"""From the arrays of all runs to one tidy table of each kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

# Stands between the names of the networks that a line or plane leads through.
PATH = " – "
# Stands there for the network of the same condition and the next seed.
NEXT_SEED = "next seed"
# Of a path between two networks, in nats.
HEIGHTS = ("barrier", "instability")

Arrays = Mapping[str, np.ndarray]
Rows = Callable[[Mapping[str, Any], Arrays], Iterator[pd.DataFrame]]


def gather(
    rows: Rows, documents: Mapping[str, Mapping[str, Any]], arrays: Iterable[Arrays]
) -> pd.DataFrame:
    """Return the rows of all documents and their arrays under the data set, … of their run."""
    frames = []
    for document, own in zip(documents.values(), arrays, strict=True):
        origin = dict(document["run"])
        if "view" in document:
            origin["view"] = document["view"]
        for frame in rows(document, own):
            frames.append(pd.DataFrame(origin, index=frame.index).join(frame))
    return pd.concat(frames, ignore_index=True)


def landscape_rows(document: Mapping[str, Any], arrays: Arrays) -> Iterator[pd.DataFrame]:
    """Yield the points of grids (x, y) and of lines (x alone), with their losses in a ``unit``."""
    seeds, unit = (document["details"][key] for key in ("direction_seeds", "unit"))
    axis = arrays["coordinates"]
    for seed, surface in zip(seeds, arrays["surfaces"], strict=True):
        yield _grid(axis, axis, surface, direction_seed=seed, unit=unit)
    for seed, losses in zip(seeds, arrays.get("lines", [[]] * len(seeds)), strict=True):
        if len(losses):
            line = {"x": arrays["line_coordinates"], "y": np.nan, "loss": losses}
            yield pd.DataFrame({"direction_seed": seed, "unit": unit, **line})


def eigenvector_rows(document: Mapping[str, Any], arrays: Arrays) -> Iterator[pd.DataFrame]:
    """Yield the points of planes along two eigenvectors: loss and prediction, in a ``unit``."""
    axis, names = arrays["eigenvector_coordinates"], ("eigenvalue_x", "eigenvalue_y")
    values = dict(zip(names, document["details"]["eigenvectors"]["eigenvalues"], strict=True))
    prediction = arrays["eigenvector_prediction"].ravel()
    values["unit"] = document["details"]["unit"]
    grid = _grid(axis, axis, arrays["eigenvector_losses"], **values)
    yield grid.assign(prediction=prediction)


def hessian_rows(document: Mapping[str, Any], arrays: Arrays) -> Iterator[pd.DataFrame]:
    """Yield eigenvalues with residuals, and nodes of the spectral density with weights."""
    columns = ["quantity", "probe", "value", "weight", "residual", "converged"]
    for end in ("largest", "smallest"):
        if f"{end}_eigenvalues" in arrays:
            found = {"value": arrays[f"{end}_eigenvalues"], "residual": arrays[f"{end}_residuals"]}
            found["converged"] = document["details"][f"{end}_eigenvalues"]["converged"]
            yield pd.DataFrame({"quantity": "eigenvalue", **found}).reindex(columns=columns)
    for probe, (nodes, weights) in enumerate(
        zip(arrays.get("nodes", []), arrays.get("weights", []), strict=True)
    ):
        frame = {"quantity": "node", "probe": probe, "value": nodes, "weight": weights}
        yield pd.DataFrame(frame).reindex(columns=columns)


def path_rows(document: Mapping[str, Any], arrays: Arrays) -> Iterator[pd.DataFrame]:
    """Yield the points of the plane around a training's path, and those of the path by moment."""
    [whole] = document["snapshots"]
    found, shares = whole["details"], [measure["value"] for measure in whole["measures"][:2]]
    labels = {"share_x": shares[0], "share_y": shares[1], "unit": found["unit"]}
    yield _grid(arrays["x"], arrays["y"], arrays["losses"], **labels, moment=None)
    columns = {"moment": document["moments"], "x": found["x"], "y": found["y"]}
    yield pd.DataFrame(columns | {"loss": found["losses"]}).assign(**labels)


def interpolation_rows(document: Mapping[str, Any], arrays: Arrays) -> Iterator[pd.DataFrame]:
    """Yield the points of paths (x) and planes (x, y), with the networks that lie on them.

    Every point of a path has the path's barrier and instability, in the ``unit`` of losses.
    """
    heights = {(line["path"], line["kind"]): line for line in document["lines"]}
    parts: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        path, kind, key = name.rsplit("/", 2)
        parts.setdefault((path, kind), {})[key] = values
    for (path, kind), part in parts.items():
        names, about = path.split(PATH), {"path": path, "kind": kind, "unit": document["unit"]}
        about |= {name: heights.get((path, kind), {}).get(name, np.nan) for name in HEIGHTS}
        if "y" in part:
            yield _grid(part["x"], part["y"], part["losses"], **about)
            corners = zip(
                names, part["model_x"], part["model_y"], part["model_losses"], strict=True
            )
            columns = ["model", "x", "y", "loss"]
            place = {"path": path, "kind": kind, "unit": document["unit"]}
            yield pd.DataFrame(corners, columns=columns).assign(**place)
        else:
            ends = dict(zip((0.0, 1.0), names, strict=True))
            models = [ends.get(x) for x in part["x"]]
            line = {"x": part["x"], "y": np.nan, "loss": part["losses"], "model": models}
            yield pd.DataFrame(about | line)


landscape = partial(gather, landscape_rows)
eigenvectors = partial(gather, eigenvector_rows)
hessian = partial(gather, hessian_rows)
interpolation = partial(gather, interpolation_rows)
path = partial(gather, path_rows)


def _grid(x: np.ndarray, y: np.ndarray, losses: np.ndarray, **labels: Any) -> pd.DataFrame:
    first, second = np.meshgrid(x, y, indexing="ij")
    return pd.DataFrame({**labels, "x": first.ravel(), "y": second.ravel(), "loss": losses.ravel()})
