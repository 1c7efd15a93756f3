"""How many training samples a measure needs: error on random parts of the data against all of them.

Networks of the default study's kind learn 1,400 digits. Each family measures them on all of these,
and on random parts, with the same draws of its own; the error is that of a part alone. Writes
docs/results/sample_sizes/errors.csv and docs/figures/sample_sizes.svg, and how many samples follow
for errors of 5 and 1 % on data without end, docs/results/sample_sizes/needed.csv.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from minimascope import measure
from minimascope.analysis.measure_names import MEASURES
from minimascope.data.digits import load
from minimascope.data.prepared import Dataset
from minimascope.files import write_bytes, write_text
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.plots.looks import list_looks
from minimascope.plots.style import panel_grid, save_svg, styled
from minimascope.schedule import Schedule
from minimascope.training import TrainingSpec, train

ROOT = Path(__file__).parents[1]
NETWORKS = {"resnet18": {}, "vit": {"patch_size": 4}}
SAMPLES, SIZES, DRAWS = 1400, (35, 70, 140, 280, 560, 1120), 10
# By family: measures and settings, with no published twins and few products.
FAMILIES = {
    "fisher_rao_norm relative_flatness train_loss train_gradient_norm": {
        "forward": {"published": False}
    },
    "sam_sharpness adaptive_sharpness_average adaptive_sharpness_worst": {
        "perturbation": {
            "samples": 20,
            "published": False,
            "adaptive": {"samples": 20, "starts": 1, "steps": 5},
        }
    },
    "hessian_top_eigenvalue hessian_trace": {
        "hessian": {
            "matrices": ["hessian"],
            "eigenvalues": 1,
            "trace_products": 30,
            "density_probes": 0,
        }
    },
    "asc_sharpness": {"landscape": {"points": 7, "line_points": 0, "direction_seeds": [42, 43]}},
    "jacobian_norm noise_sensitivity_medium logit_margin boundary_distance": {"input": {}},
    "inverse_margin": {"norms": {"pac_bayes": False}},
}
# From where on errors fall as those of means do, and errors that numbers of samples are told for.
LARGE, SHARES = 280, (0.05, 0.01)
COLUMNS = ["network", "measure", "n", "draws", "of_all", "mean", "deviation", "bias", "error"]


def trained(architecture: str, data: Dataset) -> NormalisedInput:
    """Return a network of a width of 1/8 that has learnt the digits, in evaluation mode."""
    options = NETWORKS[architecture]
    spec = NetworkSpec(architecture, 1, (8, 8), 10, width=0.125, options=options)
    model = NormalisedInput(initialise(spec, 0), [0.3], [0.35])
    optimizer = {"name": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False}
    train(model, data, TrainingSpec(30, 50, optimizer, Schedule("cosine")), 0)
    return model.eval()


def values(
    model: NormalisedInput, data: Dataset, rows: torch.Tensor
) -> Iterator[tuple[str, float]]:
    """Yield each measure on some of the training samples."""
    part = data.train.rows(rows)
    for names, settings in FAMILIES.items():
        found = measure(model, part.inputs, part.labels, names.split(), settings=settings)
        yield from ((name, one.value) for name, one in found.items())


def errors(architecture: str, data: Dataset) -> pd.DataFrame:
    """Return for each measure and size of a part how far it is from the value of all samples.

    ``bias`` and ``deviation`` are of values over draws; ``error`` is the root mean square of the
    differences from the value of all, as a share of that.
    """
    model = trained(architecture, data)
    of_all = dict(values(model, data, torch.arange(SAMPLES)))
    rows = []
    for n in SIZES:
        draws = torch.Generator().manual_seed(n)
        parts = [torch.randperm(SAMPLES, generator=draws)[:n].sort().values for _ in range(DRAWS)]
        found = pd.DataFrame([dict(values(model, data, part)) for part in parts])
        for name, whole in of_all.items():
            # Of parts in which a tenth is predicted wrong there is no margin.
            own = found[name].dropna().to_numpy() if name in found else np.array([np.nan])
            rows.append(
                {"network": architecture, "measure": name, "n": n, "draws": len(own)}
                | {"of_all": whole, "mean": own.mean(), "deviation": own.std(ddof=1)}
                | {"bias": own.mean() / whole - 1}
                | {"error": np.sqrt(((own / whole - 1) ** 2).mean())}
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def needed(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many samples of a large data set each measure needs.

    The error of a mean of n of N samples, drawn without replacement, is s √(1/n − 1/N) as a share
    of the mean of all; ``spread`` is s by the sizes from `LARGE` on. Of a data set without end,
    (s/e)² samples then have an error of e. A measure whose bias is above its deviation, at the
    first of these sizes, is no such mean: it depends on how many samples it is of (``biased``),
    and has no such numbers.
    """
    rows = []
    large = table[table["n"] >= LARGE]
    for (network, name), own in large.groupby(["network", "measure"], sort=False):
        spread = np.sqrt((own["error"] ** 2 / (1 / own["n"] - 1 / SAMPLES)).mean())
        first = own.iloc[0]
        biased = abs(first["bias"]) > first["deviation"] / first["of_all"]
        row = {"network": network, "measure": name, "spread": spread, "biased": biased}
        for share in SHARES:
            row[f"n_{100 * share:.0f}"] = np.nan if biased else (spread / share) ** 2
        rows.append(row)
    return pd.DataFrame(rows)


def figure(table: pd.DataFrame) -> Figure:
    """Return the relative error of each measure over the number of samples, a panel a network."""
    looks = list_looks(table["measure"].unique())
    panels = list(table.groupby("network", sort=False))
    handles = []
    drawn, grid = panel_grid("Error on a part of the data", len(panels), 2, (3.4, 2.8), sharey=True)
    for axes, (network, rows) in zip(grid, panels, strict=True):
        for name, own in rows.groupby("measure", sort=False):
            [line] = axes.plot(own["n"], own["error"], **looks[name].line, markersize=3)
            line.set_label(MEASURES[name].label)
        axes.set(xscale="log", yscale="log", title=network, xlabel="Training samples")
        for share in (0.01, 0.05):
            axes.axhline(share, color="#999999", linewidth=0.6, linestyle="--")
        handles = axes.get_lines()[: rows["measure"].nunique()]
    grid[0].set_ylabel("Relative error (root mean square)")
    width, height = drawn.get_size_inches()
    drawn.set_size_inches(width, height + 0.17 * np.ceil(len(handles) / 3))
    drawn.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawn


if __name__ == "__main__":
    torch.set_num_threads(1)
    data = load(ROOT, train_size=SAMPLES, split_seed=0, image_size=8)
    table = pd.concat([errors(name, data) for name in NETWORKS])
    for name, found in {"errors": table, "needed": needed(table)}.items():
        place = ROOT / "docs" / "results" / "sample_sizes" / f"{name}.csv"
        write_text(place, found.to_csv(index=False, float_format="%.6g"))
    with styled():
        write_bytes(ROOT / "docs" / "figures" / "sample_sizes.svg", save_svg(figure(table)))
    print(table.pivot_table(index=["network", "measure"], columns="n", values="error").to_string())
