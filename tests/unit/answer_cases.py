"""Made-up tables for the tests of the answer."""

import numpy as np
import pandas as pd
from table_frames import read_again

from minimascope.analysis.answer import answers
from minimascope.analysis.trends import COLUMNS as TREND_COLUMNS

# A correlation with its interval: surely above zero, surely below, and neither.
UP, DOWN, OPEN = (0.9, 0.5, 0.98), (-0.8, -0.97, -0.3), (0.4, -0.3, 0.8)
NONE = (np.nan, np.nan, np.nan)


def correlations(found, n=12, note="", dataset="digits", p_value=1e-6):
    """Rows of {(network, sharpness, evaluation): (value, lower, upper)}.

    Those over all networks are those of a single one, too, if no other is given.
    """
    if {network for network, *_ in found} == {"all"}:
        found = found | {("vit", *names): values for (_, *names), values in found.items()}
    rows = [
        {"network": network, "sharpness": sharpness, "evaluation": evaluation}
        | dict(zip(("value", "lower", "upper"), values, strict=True))
        for (network, sharpness, evaluation), values in found.items()
    ]
    own = {"dataset": dataset, "statistic": "spearman", "n": n, "left_out": 0}
    columns = ["network", "sharpness", "evaluation", "value", "lower", "upper"]
    table = pd.DataFrame(rows, columns=columns).assign(**own, note=note)
    excludes_zero = (table["lower"] > 0) | (table["upper"] < 0)
    p_values = np.where(excludes_zero, p_value, 0.5)
    return table.assign(p_value=np.where(table["lower"].isna(), np.nan, p_values))


def means_of(about):
    """The means of a summary as points of trends: of networks that trained."""
    keys = ["dataset", "network", "condition"]
    table = about[about["n_untrained"] == 0].pivot(index=keys, columns="measure", values="mean")
    return table.rename_axis(columns=None).reset_index()


def summary(means=None, networks=("vit",), dataset="digits", n_seeds=10, **untrained):
    """Rows of {(condition, measure): mean}, the same for each network."""
    means = means or {("baseline", "test_accuracy"): 0.9, ("sam", "test_accuracy"): 0.9}
    rows = [
        {"network": network, "condition": condition, "measure": measure, "mean": mean}
        | {"n_untrained": untrained.get(condition, 0)}
        for network in networks
        for (condition, measure), mean in means.items()
    ]
    own = {"dataset": dataset, "view": "clean", "family": "evaluation", "unit": "1"}
    return pd.DataFrame(rows).assign(**own, n_seeds=n_seeds)


def conditions(networks=("vit",), dataset="digits"):
    rows = [
        {"network": network, "condition": condition, "without_sam": without}
        for network in networks
        for condition, without in (("baseline", None), ("sam", "baseline"))
    ]
    return pd.DataFrame(rows).assign(dataset=dataset, adopted=False)


def claims(verdict="inconclusive", networks=("vit",), dataset="digits"):
    rows = [{"network": network, "claim": 3, "verdict": verdict} for network in networks]
    return pd.DataFrame(rows).assign(dataset=dataset)


def trends(*rows):
    return pd.DataFrame(rows, columns=TREND_COLUMNS).assign(dataset="digits")


def statistics(found=None, networks=("vit",), dataset="digits", n=10):
    """Rows of {(measure, condition): verdict}, the same for each network; n seeds, or of each."""
    rows = [
        {"network": network, "measure": measure, "condition": condition, "verdict": verdict}
        for network in networks
        for (measure, condition), verdict in (found or {}).items()
    ]
    columns = ["network", "measure", "condition", "verdict"]
    return pd.DataFrame(rows, columns=columns).assign(dataset=dataset, n=n)


def said(found, about=None, sam=None, verdict=None, slopes=None, compared=None) -> dict[str, str]:
    """The sentences by topic, from tables as they are read from files."""
    about = summary() if about is None else about
    given = (
        about,
        conditions() if sam is None else sam,
        statistics() if compared is None else compared,
        claims() if verdict is None else verdict,
        found,
        trends() if slopes is None else slopes,
        means_of(about),
    )
    table = answers(*map(read_again, given))
    return table.groupby("topic")["sentence"].agg(" ".join).to_dict()


def one(values, evaluation="test_accuracy", **more):
    """A single network's correlation with the Fisher–Rao norm; the table has it as all."""
    return correlations({("all", "fisher_rao_norm", evaluation): values}, **more)
