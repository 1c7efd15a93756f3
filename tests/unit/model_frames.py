"""Tables of made-up models of a data set, and what their figures show, for the tests of these."""

import io
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.text import Text

from minimascope.plots import (
    domains,
    hyperparameters,
    sharpness_accuracy,
    stability,
    variance_shares,
)

PLOTS = {
    "sharpness_accuracy": (sharpness_accuracy.plot, "models", "correlations"),
    "hyperparameters": (hyperparameters.plot, "models", "variance_shares"),
    "domains": (domains.plot, "domains"),
    "stability": (stability.plot, "stability", "stability_order"),
    "variance_shares": (variance_shares.plot, "variance_shares"),
}
SCENES = "scenes"
OPTIMIZERS = ("sgd", "adam", "kfac", "gdtuo_adam")
DOMAIN_ACCURACIES = ("accuracy_in_domain", "accuracy_out_of_domain")


def models_frame(
    dataset=SCENES,
    networks=("cnn10", "cnn14"),
    optimizers=OPTIMIZERS,
    rates=(1e-3, 1e-4),
    controls=("baseline",),
    sharpness=("asc_sharpness",),
    accuracies=DOMAIN_ACCURACIES,
):
    """One row per model of the whole grid, two seeds each."""
    random = np.random.default_rng(4)
    grid = list(product(networks, optimizers, rates, (16, 32), controls, (42, 43)))
    columns = ["network", "optimizer", "learning_rate", "batch_size", "control", "seed"]
    frame = pd.DataFrame(grid, columns=columns).assign(dataset=dataset)
    settings = frame[["optimizer", "learning_rate", "batch_size", "control"]].astype(str)
    frame["condition"] = settings.agg("-".join, axis=1)
    for name in sharpness:
        frame[name] = np.exp(random.normal(4, 1, len(frame)))
    for name in ("test_accuracy", *accuracies):
        frame[name] = random.normal(0.6, 0.05, len(frame))
    return frame


def correlations_frame(models, sharpness=("asc_sharpness",), accuracies=DOMAIN_ACCURACIES):
    """Values that say which pair they belong to: 0.11, 0.12 … for all networks together."""
    pairs = list(product(sharpness, ("test_accuracy", *accuracies)))
    return pd.DataFrame(
        {
            "dataset": models["dataset"].iloc[0],
            "network": network,
            "sharpness": measure,
            "evaluation": accuracy,
            "statistic": statistic,
            "value": 0.11 + i / 100 if (network, statistic) == ("all", "spearman") else 0.99,
            "lower": -0.21,
            "upper": 0.87,
            "p_value": 0.01,
            "n": len(models),
            "left_out": 0,
            "note": np.nan,
        }
        for network in ("all", "cnn10")
        for i, (measure, accuracy) in enumerate(pairs)
        for statistic in ("spearman", "pearson", "kendall")
    )


def variance_shares_frame(
    models,
    factors=("optimizer", "learning_rate", "batch_size", "network"),
    sharpness=("asc_sharpness",),
    accuracies=DOMAIN_ACCURACIES,
):
    """Shares that differ in every row of a response."""
    kinds = [("one-way", name) for name in factors]
    kinds += [("joint", name) for name in (*factors, "model", "residual")]
    return pd.DataFrame(
        {
            "dataset": models["dataset"].iloc[0],
            "response": response,
            "scale": "ln" if response in sharpness else "1",
            "factor": factor,
            "kind": kind,
            "value": 0.05 * (i + 1) + 0.01 * j,
            "n": len(models),
            "note": np.nan,
        }
        for j, response in enumerate((*sharpness, "test_accuracy", *accuracies))
        for i, (kind, factor) in enumerate(kinds)
    )


def domains_frame(models, cities=("lyon", "milan")):
    """The accuracy of each model on A10, A2 (both unseen), C and B, and in cities."""
    random = np.random.default_rng(5)
    origin = models[["dataset", "network", "condition", "seed"]]
    places = [("domain", "A10", False), ("domain", "A2", False)]
    places += [("domain", "C", True), ("domain", "B", True)]
    places += [("city", city, np.nan) for city in cities]
    parts = [
        origin.assign(
            kind=kind, name=name, seen=seen, accuracy=random.uniform(0.4, 0.8, len(origin))
        )
        for kind, name, seen in places
    ]
    return pd.concat(parts, ignore_index=True).assign(n=30)


def stability_frame(models, pairs=10):
    random = np.random.default_rng(6)
    cv = random.uniform(0.1, 0.6, len(models)) if pairs > 1 else np.nan
    frame = models[["dataset", "network", "condition", "seed"]].assign(pairs=pairs, cv=cv)
    return frame.assign(threshold=0.05, pairs_needed=np.ceil((frame["cv"] / 0.05) ** 2))


def stability_order_frame(models, pairs=10, note=np.nan):
    k = np.arange(1, pairs + 1)
    first = pd.DataFrame({"kind": "first", "pairs": k, "tau": 1 - 0.3 * (1 - k / pairs)})
    halves = pd.DataFrame({"kind": "split_half", "pairs": k[: pairs // 2]})
    halves["tau"] = 0.5 + 0.05 * halves["pairs"]
    halves["tau_low"], halves["tau_high"] = halves["tau"] - 0.1, halves["tau"] + 0.07
    frame = pd.concat([first, halves], ignore_index=True)
    return frame.assign(dataset=models["dataset"].iloc[0], total_pairs=pairs, note=note)


def read_again(frame):
    """The frame as the workflow hands it over: written as CSV and read."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))


def tables(models):
    made = {
        "models": models,
        "correlations": correlations_frame(models),
        "variance_shares": variance_shares_frame(models),
        "domains": domains_frame(models),
        "stability": stability_frame(models),
        "stability_order": stability_order_frame(models),
    }
    return {name: read_again(frame) for name, frame in made.items()}


def figure_of(name, frames=None, dataset=SCENES):
    plot, *names = PLOTS[name]
    frames = frames or tables(models_frame())
    return plot(**{table: frames[table] for table in names}, dataset=dataset)


def written(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def legend_of(figure):
    [legend] = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def points_of(axes):
    """Where the points of each (colour, marker) are."""
    return {
        (to_hex(line.get_markeredgecolor() if hollow(line) else line.get_markerfacecolor()).upper(),
         line.get_marker(), hollow(line)): line.get_xydata()
        for line in axes.lines
        if line.get_linestyle() == "None"
    }  # fmt: skip


def hollow(line):
    return line.get_markerfacecolor() == "none"


def boxes_of(axes):
    """The heights of each box's median, by its position."""
    return {
        round(np.mean(line.get_xdata()), 6): line.get_ydata()[0]
        for line in axes.lines
        if line.get_color() == "black"
    }
