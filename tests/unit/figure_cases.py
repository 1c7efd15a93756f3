"""Synthetic tables in the shape of a study's, the figures of these, and what figures show."""

import io
from collections.abc import Sequence
from inspect import signature
from itertools import combinations, product

import numpy as np
import pandas as pd
from agreement_cases import CONDITION_NAMES, NEW, OLD, published_rows, run_rows, summary_rows
from matplotlib.colors import to_hex
from matplotlib.text import Text

from minimascope.analysis.agreement import compare
from minimascope.analysis.domain_correlations import domain_correlations
from minimascope.analysis.measure_names import describe
from minimascope.plots.style import styled
from minimascope.tables_and_figures import ALL_FIGURES

CONDITIONS = (
    *("baseline", "baseline_sam", "augmentation"),
    *("augmentation_sam", "weight_decay", "weight_decay_sam"),
)
SEEDS = (0, 1, 2)
# mean at the baseline, factor from condition to condition, spread over seeds, unit, family
MEASURES = {
    "fisher_rao_norm": (0.032, 2.6, 0.05, "1", "forward"),
    "relative_flatness": (0.4, 1.9, 0.1, "1", "forward"),
    "squared_weight_norm": (250.0, 1.05, 0.01, "1", "forward"),
    "train_loss": (0.002, 2.0, 0.1, "nats", "forward"),
    "train_accuracy": (0.99, 0.999, 0.001, "fraction", "forward"),
    "sam_sharpness": (0.003, 1.6, 0.08, "1", "perturbation"),
    "sam_sharpness_signed": (0.0004, -1.3, 0.8, "1", "perturbation"),
    "test_accuracy": (0.72, 1.05, 0.005, "fraction", "evaluation"),
    "generalisation_gap": (28.0, 0.9, 0.01, "percentage points", "evaluation"),
    "test_ece": (0.186, 0.7, 0.03, "fraction", "evaluation"),
    "test_ece_published": (0.188, 0.7, 0.03, "fraction", "evaluation"),
    "test_nll": (1.4, 0.85, 0.02, "nats", "evaluation"),
    "test_brier": (0.43, 0.85, 0.02, "1", "evaluation"),
    "corruption_accuracy": (58.6, 1.04, 0.01, "percent", "evaluation"),
}
FEW = ("sam_sharpness", "test_nll", "corruption_accuracy")
RUN = {"dataset": "cifar10", "network": "resnet18"}
SCENES = "scenes"
OPTIMIZERS = ("sgd", "adam", "kfac", "gdtuo_adam")
DOMAIN_ACCURACIES = ("accuracy_in_domain", "accuracy_out_of_domain")
BASES = ("baseline", "baseline_sam", "weight_decay")
RADII = (0.0025, 0.005, 0.025, 0.05, 0.25, 0.5)


def measures_frame(conditions=CONDITIONS, seeds=SEEDS, measures=tuple(MEASURES)):
    random = np.random.default_rng(1)
    common = {"n": 10_000, "standard_error": np.nan, "noise_floor": np.nan}
    common |= {"view": "clean", "converged": True, "trained": True, "seconds": 1.0}
    frame = pd.DataFrame(
        {
            **RUN,
            "condition": condition,
            "seed": seed,
            "family": family,
            "measure": measure,
            "value": start * factor**i * (1 + spread * random.standard_normal()),
            "unit": unit,
            "protocol": "published" if "published" in measure else "corrected",
            **common,
        }
        for (i, condition), seed in product(enumerate(conditions), seeds)
        for measure, (start, factor, spread, unit, family) in MEASURES.items()
    )
    return frame[frame["measure"].isin(measures)]


def summary_frame(conditions, seeds=SEEDS):
    keys = [*RUN, "condition", "view", "measure", "unit", "family"]
    values = measures_frame(conditions, seeds).groupby(keys, sort=False)["value"]
    return values.agg(mean="mean", sem="sem", n_seeds="count").reset_index().assign(n_untrained=0)


def disagreement_frame(conditions=CONDITIONS, seeds=SEEDS):
    random = np.random.default_rng(2)
    columns = ["condition_a", "seed_a", "condition_b", "seed_b"]
    pairs = combinations(product(conditions, seeds), 2)
    frame = pd.DataFrame([(*a, *b) for a, b in pairs], columns=columns)
    same = frame["condition_a"] == frame["condition_b"]
    frame["prediction_disagreement"] = np.where(same, 0.12, 0.2) + 0.02 * random.random(len(frame))
    frame["jensen_shannon_divergence"] = frame["prediction_disagreement"] / 3
    frame["l2_distance"] = frame["prediction_disagreement"] * 2
    return frame.assign(**RUN, view="clean", n=10_000)


def of_models(conditions, seeds, columns):
    """A frame of rows for each model, which have so many columns."""
    parts = [
        pd.DataFrame({**RUN, "condition": condition, "seed": seed, **columns(i, seed)})
        for (i, condition), seed in product(enumerate(conditions), seeds)
    ]
    return pd.concat(parts, ignore_index=True)


def history_frame(conditions=CONDITIONS, seeds=SEEDS, epochs=40):
    random = np.random.default_rng(3)
    epoch = np.arange(1, epochs + 1)
    evaluated = (epoch % 2 == 0) | (epoch == epochs)

    def columns(i, _seed):
        noise = np.exp(0.05 * random.standard_normal(epochs) + 0.3 * random.standard_normal())
        loss = 2.3 * np.exp(-epoch / (4 + 2 * i)) * noise + 0.002 * (i + 1)
        test = {"test_loss": loss + 0.6 - 0.05 * i, "test_accuracy": 0.8 - loss / 4 + 0.01 * i}
        train = {"epoch": epoch, "train_loss": loss, "train_accuracy": 1 - loss / 2.6}
        return train | {name: np.where(evaluated, value, np.nan) for name, value in test.items()}

    return of_models(conditions, seeds, columns)


def reliability_frame(conditions=CONDITIONS, seeds=SEEDS, bins=15):
    edges = np.linspace(0, 1, bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2

    def columns(i, seed):
        count = np.round(2000 * middle**3 + seed * 10).astype(int)
        count[0] = 0
        means = {"confidence": middle + 0.004 * seed, "accuracy": middle ** (1.6 - 0.1 * (i % 6))}
        means = {name: np.where(count > 0, mean, np.nan) for name, mean in means.items()}
        return {"bin_lower": edges[:-1], "bin_upper": edges[1:], "count": count, **means}

    return of_models(conditions, seeds, columns)


def grid_cells(rates=(0.001, 0.01)):
    """Batch size × learning rate of every condition, which are the last cell themselves."""
    for condition, batch, rate in product(BASES, (128, 256), rates):
        own = (batch, rate) == (256, 0.001)
        name = condition if own else f"{condition}-{batch}-{rate}"
        sam = {"sam.rho": 0.05} if condition.endswith("_sam") else {}
        yield name, condition, {"batch_size": batch, "optimizer.lr": rate, **sam}


def radius_cells():
    plain = {"batch_size": 256, "optimizer.lr": 0.001}
    yield "baseline", "baseline", plain
    yield "decay", "decay", plain
    for rho in RADII:
        name = "baseline_sam" if rho == 0.05 else f"baseline_sam-rho{rho}"
        yield name, "baseline_sam", plain | {"sam.rho": rho}


def plain_conditions(conditions=CONDITIONS, network="resnet18"):
    """Conditions that no sweep varies, in the order of a study."""
    conditions = list(conditions)
    return pd.DataFrame(
        {
            **RUN,
            "network": network,
            "condition": conditions,
            "base_condition": conditions,
            "matched": True,
            "loss": "cross_entropy",
        }
    )


def conditions_of(models, factor="optimizer"):
    """Conditions of models, of which the levels of a factor are the base."""
    rows = models[["dataset", "network", "condition", factor]].drop_duplicates()
    return rows.rename(columns={factor: "base_condition"})


def conditions_frame(cells):
    """Conditions of (name, condition, settings)."""
    common = RUN | {"epochs": 100, "optimizer.name": "sgd", "pretrained": False}
    rows = (common | {"condition": name, "base_condition": of} | own for name, of, own in cells)
    return pd.DataFrame(rows)


def landscape_frame(conditions=CONDITIONS[:3], seeds=(0, 1), views=("clean",), steepness=4.0):
    axis, line = np.linspace(-0.25, 0.25, 5), np.linspace(-0.25, 0.25, 7)
    x, y = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    x, y = np.append(x, line), np.append(y, np.full(7, np.nan))

    def columns(i, seed):
        for view, direction_seed in product(views, (42, 43)):
            sharp = steepness * (i + 1) * (1 + 0.1 * seed + (view != "clean"))
            loss = 0.1 + sharp * (x**2 + 2 * np.nan_to_num(y) ** 2)
            place = {"view": view, "direction_seed": direction_seed}
            yield pd.DataFrame({**place, "x": x, "y": y, "loss": loss, "unit": "nats"})

    return of_models(conditions, seeds, lambda *model: pd.concat(columns(*model)))


def eigenvectors_frame(conditions=CONDITIONS[:3], seeds=(0, 1)):
    x, y = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-0.5, 0.5, 5)] * 2, indexing="ij"))

    def columns(i, _seed):
        prediction = 0.1 + (4 + i) * x**2 / 2 + y**2
        values = {"eigenvalue_x": 4.0 + i, "eigenvalue_y": 2.0}
        grid = pd.DataFrame({"x": x, "y": y, "loss": prediction + x**4, "prediction": prediction})
        return grid.assign(view="clean", unit="nats", **values)

    return of_models(conditions, seeds, columns)


def hessian_frame(conditions=CONDITIONS[:3], seeds=(0, 1)):
    def columns(i, _seed):
        nodes = [0.0, 4.0, 9.0]
        frame = pd.DataFrame({"value": [10.0 + i, 5.0, -1.0, *nodes, *nodes], "view": "clean"})
        frame["quantity"] = ["eigenvalue"] * 3 + ["node"] * 6
        frame["converged"] = pd.Series([i != 1] * 3, dtype=object)
        frame["probe"] = [np.nan] * 3 + [0] * 3 + [1] * 3
        return frame.assign(weight=[np.nan] * 3 + [0.9, 0.09, 0.01] * 2)

    return of_models(conditions, seeds, columns)


def interpolation_frame(seeds=(0, 1), kinds=("straight",)):
    x = np.linspace(-0.25, 1.25, 7)
    ends = [{0.0: "initial", 1.0: "baseline"}.get(value) for value in x.round(9)]
    line = pd.DataFrame({"path": "initial – baseline", "x": x, "loss": 2.3 - x, "model": ends})
    grid = np.array([*product(range(3), range(3))], dtype=float)
    plane = pd.DataFrame({"x": grid[:, 0], "y": grid[:, 1], "loss": 1 + grid.sum(1)})
    corners = pd.DataFrame({"x": [0.5, 1.5, 1.0], "y": [0.5, 0.5, 1.5], "loss": 1.0})
    corners["model"] = ["initial", "baseline", "sam"]
    planes = pd.concat([plane, corners]).assign(path="initial – baseline – sam", kind="plane")
    parts = [
        pd.concat([line.assign(kind=k, barrier=0.5 + s, instability=1.5 + s) for k in kinds])
        for s in seeds
    ]
    parts = [pd.concat([part, planes]).assign(seed=s) for s, part in zip(seeds, parts, strict=True)]
    return pd.concat(parts, ignore_index=True).assign(**RUN, unit="nats")


def models_frame(
    networks=("cnn10", "cnn14"),
    optimizers=OPTIMIZERS,
    rates=(1e-3, 1e-4),
    conditions=("baseline",),
    sharpness=("asc_sharpness",),
    accuracies=DOMAIN_ACCURACIES,
):
    """One row per model of the whole grid, two seeds each."""
    random = np.random.default_rng(4)
    grid = list(product(networks, optimizers, rates, (16, 32), conditions, (42, 43)))
    columns = ["network", "optimizer", "learning_rate", "batch_size", "base_condition", "seed"]
    frame = pd.DataFrame(grid, columns=columns).assign(dataset=SCENES)
    settings = frame[["optimizer", "learning_rate", "batch_size", "base_condition"]].astype(str)
    frame["condition"] = settings.agg("-".join, axis=1)
    frame["trained"] = True
    for name in sharpness:
        frame[name] = np.exp(random.normal(4, 1, len(frame)))
    for name in ("test_accuracy", *accuracies):
        frame[name] = random.normal(0.6, 0.05, len(frame))
    return frame


def correlations_of_network(network="resnet18", dataset="cifar10", **values):
    """Spearman's correlation over six conditions for every pair of measures."""
    sharpness = [name for name in MEASURES if MEASURES[name][4] in ("forward", "perturbation")]
    evaluations = [name for name in MEASURES if MEASURES[name][4] == "evaluation"]
    row = {"dataset": dataset, "network": network, "statistic": "spearman", "note": ""}
    row |= {"value": -0.53, "lower": -0.92, "upper": 0.48, "n": 6, "left_out": 0} | values
    pairs = product(sharpness, evaluations)
    return pd.DataFrame([row | {"sharpness": y, "evaluation": x} for y, x in pairs])


def correlations_frame(models, sharpness=("asc_sharpness",), accuracies=DOMAIN_ACCURACIES):
    """Values that say which pair they belong to: 0.11, 0.12 … for all networks together."""
    pairs = list(product(sharpness, ("test_accuracy", *accuracies)))
    common = {"dataset": SCENES, "lower": -0.21, "upper": 0.87, "n": len(models), "left_out": 0}
    common |= {"note": ""}
    return pd.DataFrame(
        {
            **common,
            "network": network,
            "sharpness": measure,
            "evaluation": accuracy,
            "statistic": statistic,
            "value": 0.11 + i / 100 if (network, statistic) == ("all", "spearman") else 0.99,
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
            "dataset": SCENES,
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
    parts = []
    for kind, name, seen in places:
        accuracy = random.uniform(0.4, 0.8, len(origin))
        parts.append(origin.assign(kind=kind, name=name, seen=seen, accuracy=accuracy))
    return pd.concat(parts, ignore_index=True).assign(n=30)


def domain_correlations_frame(models, **domains):
    """Correlations with ASC sharpness in the domains and cities of `domains_frame`."""
    sharpness = [name for name in models if describe(name).category == "sharpness"]
    return domain_correlations(domains_frame(models, **domains), models, sharpness)


def stability_frame(models, pairs=10):
    random = np.random.default_rng(6)
    cv = random.uniform(0.1, 0.6, len(models)) if pairs > 1 else np.nan
    frame = models[["dataset", "network", "condition", "seed"]].assign(pairs=pairs, cv=cv)
    return frame.assign(threshold=0.05, pairs_needed=np.ceil((frame["cv"] / 0.05) ** 2))


def stability_order_frame(pairs=10, note=np.nan):
    k = np.arange(1, pairs + 1)
    first = pd.DataFrame({"kind": "first", "pairs": k, "tau": 1 - 0.3 * (1 - k / pairs)})
    halves = pd.DataFrame({"kind": "split_half", "pairs": k[: pairs // 2]})
    halves["tau"] = 0.5 + 0.05 * halves["pairs"]
    halves["tau_low"], halves["tau_high"] = halves["tau"] - 0.1, halves["tau"] + 0.07
    frame = pd.concat([first, halves], ignore_index=True)
    shape = {"total_pairs": pairs, "models": len(models_frame())}
    return frame.assign(dataset=SCENES, note=note, **shape)


def read_again(frame):
    """The frame as the workflow hands it over: written as CSV and read."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))


def model_tables(models, base="optimizer", **settings):
    """Tables of models, of the measures and factors that the settings name."""
    factors = {"factors": settings.pop("factors")} if "factors" in settings else {}
    made = {
        "models": models,
        "conditions": conditions_of(models, base),
        "correlations": correlations_frame(models, **settings),
        "variance_shares": variance_shares_frame(models, **factors, **settings),
        "domains": domains_frame(models),
        "domain_correlations": domain_correlations_frame(models),
        "stability": stability_frame(models),
        "stability_order": stability_order_frame(),
    }
    return {name: read_again(frame) for name, frame in made.items()}


def published_cells():
    """Three published metrics, of which the study has two, in both sources."""
    metrics = {
        "test_accuracy": ("test_accuracy", "0.7{}0"),
        "sam_sharpness": ("sam_sharpness_published", "{}.00e-0{}"),
        "generalisation_gap": ("generalisation_gap", "{}.0"),
    }
    published, ours = [], []
    for metric, (measure, form) in metrics.items():
        for i, condition in enumerate(CONDITION_NAMES, 1):
            mean = form.format(i, 7 - i)
            uncertain = "true" if condition == "baseline_sam" else "false"
            published += [(condition, metric, mean, mean, s, uncertain) for s in (NEW, OLD)]
            if metric != "generalisation_gap":
                ours.append((condition, measure, float(mean) * 1.1, float(mean) * 0.2, 3))
    cells = compare(summary_rows(*ours), run_rows(), published_rows(*published))
    return read_again(cells.assign(**RUN))


def figure_of(name, tables, **of):
    """A figure by its name, as the workflow draws it from some of the tables."""
    plot = ALL_FIGURES[name].load()
    parameters = signature(plot).parameters
    given = {"conditions": plain_conditions()} | tables
    given |= (RUN if "network" in parameters else {"dataset": SCENES}) | of
    with styled():
        return plot(**{key: given[key] for key in parameters if key in given})


def panel(figure, label):
    """The one panel that is named so, above it or at its y axis, line breaks left out."""
    found = zip(
        figure.axes, labels(figure.axes, "ylabel"), labels(figure.axes, "title"), strict=True
    )
    [axes] = [axes for axes, *named in found if label in named]
    return axes


def labels(axes: Sequence, of: str) -> list[str]:
    """What stands at each of some panels, line breaks left out."""
    return [getattr(each, f"get_{of}")().replace("\n", " ") for each in axes]


def names(ticks):
    return [tick.get_text() for tick in ticks]


def written(artist):
    return [text.get_text() for text in artist.findobj(Text) if text.get_text()]


def legend_of(figure):
    """The legend's entries by their text."""
    [legend] = figure.legends
    return dict(zip(names(legend.get_texts()), legend.legend_handles, strict=True))


def colour_of(artist):
    return to_hex(artist.get_color()).upper()


def points_of(axes):
    """Where the points of each (colour, marker, hollow) are."""
    found = {}
    for line in axes.lines:
        if line.get_linestyle() == "None":
            hollow = line.get_markerfacecolor() == "none" or line.get_fillstyle() == "none"
            colour = line.get_markeredgecolor() if hollow else line.get_markerfacecolor()
            found.setdefault((to_hex(colour).upper(), line.get_marker(), hollow), []).append(line)
    return {
        look: np.concatenate([line.get_xydata() for line in lines]) for look, lines in found.items()
    }


def boxes_of(axes):
    """The heights of each box's median, by its position."""
    return {
        round(np.mean(line.get_xdata()), 6): line.get_ydata()[0]
        for line in axes.lines
        if line.get_color() == "black"
    }
