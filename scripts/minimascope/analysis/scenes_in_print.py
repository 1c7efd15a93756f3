"""The printed models of acoustic scenes, in the shape of a study's own and analysed as these."""

import pandas as pd

from ..errors import InputError
from ..registry import PRINTED_SCENES
from .collect import RUN
from .correlations import ALL_NETWORKS, correlations
from .model_table import SETTINGS, accuracies_of, require
from .stability import MEASURE, VALUE_COLUMNS, stability_tables
from .trends import CONDITION, trends
from .variance import ONE_WAY, variance_shares

# Printed names and ours.
NAMES = {
    "architecture": "network",
    "optimiser": "optimizer",
    "sharpness_mean": "asc_sharpness",
    "sharpness_max": "asc_sharpness_max",
    "sharpness_std": "asc_sharpness_std",
    "accuracy_all": "test_accuracy",
}
# Columns without numbers.
NAMED = ["architecture", "optimiser", "run_name", "statistic", "group"]
OPTIMIZERS = {"gdtuo_adam": "gdtuo"}
# Test clips of each recording device, by whether it occurs in training, and of each city.
SEEN = {"A": 330, "B": 329, "C": 329, "S1": 330, "S2": 330, "S3": 330}
UNSEEN = {"S4": 330, "S5": 330, "S6": 330}
CITIES = {
    "barcelona": 358,
    "helsinki": 360,
    "lisbon": 360,
    "london": 270,
    "lyon": 270,
    "milan": 270,
    "paris": 270,
    "prague": 270,
    "stockholm": 270,
    "vienna": 270,
}
# Printed column and the seed of the random directions.
DIRECTIONS = {f"sharpness_direction_{i}": seed for i, seed in enumerate((42, 43, 44), start=1)}
DECIMALS = 12
MODEL_MEASURES = [
    MEASURE,
    "asc_sharpness_std",
    "asc_sharpness_max",
    "test_accuracy",
    "accuracy_in_domain",
    "accuracy_out_of_domain",
    "domain_gap",
]
EXPECTED_COLUMNS = ["statistic", "group", "value", "p_value", "n"]
# Of the expected table and of ours.
GROUPS = {
    "accuracy_all": "test_accuracy",
    "accuracy_in_domain_mean": "accuracy_in_domain",
    "accuracy_out_of_domain_mean": "accuracy_out_of_domain",
}
FACTORS = {"optimiser": "optimizer", "architecture": "network"}
SHARE = "eta_squared_log_sharpness"
# Both cover what rounding does to ties among mean accuracies; that of p is relative.
TOLERANCE = 0.002
P_TOLERANCE = 0.05


def reanalysis(printed: pd.DataFrame, expected: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Return all that is made of a study's models, made of the printed ones.

    Args:
        printed: ``resources/print/asc_models.csv``, all cells as text.
        expected: ``resources/print/asc_expected.csv``, likewise.

    Returns:
        Our statistics beside the expected ones, models, correlations, trends and their points,
        shares of variance, stability of models and of their order, accuracies by domain.
    """
    printed, expected = numeric(printed), numeric(expected)
    models = printed_models(printed)
    accuracies = accuracies_of(models)
    found, shares = correlations(models, [MEASURE], accuracies), variance_shares(models, [MEASURE])
    means = models.groupby(CONDITION, as_index=False, sort=False)[[MEASURE, *accuracies]].mean()
    return (
        compare_with_expected(as_expected(found, shares), expected),
        models,
        found,
        trends(means, [MEASURE], accuracies),
        means,
        shares,
        *stability_tables(printed_pair_values(models)),
        printed_domains(printed),
    )


def numeric(printed: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text with numbers in all columns but those of names."""
    numbers = printed.columns.difference(NAMED, sort=False)
    return printed.assign(**{column: pd.to_numeric(printed[column]) for column in numbers})


def printed_models(printed: pd.DataFrame) -> pd.DataFrame:
    """Return printed rows as a table of models like that of `model_table.model_table`.

    Accuracies in and out of the domain are unweighted means over devices that occur in training
    and that do not, rounded to 12 decimals: floating point would break ties between them.

    Args:
        printed: rows of ``resources/print/asc_models.csv``.

    Returns:
        One row per model under the data set ``dcase2020 (print)``: run, settings, the measures
        `MODEL_MEASURES` and the sharpness along single pairs of directions
        (``asc_sharpness_42``, ``_43``, ``_44``).

    Raises:
        InputError: if a column is missing.
    """
    devices = [f"accuracy_{device}" for device in (*SEEN, *UNSEEN)]
    settings = ["batch_size", "learning_rate", "seed"]
    require(printed, [*NAMES, *settings, *devices, *DIRECTIONS], "printed scenes")
    pairs = {column: f"asc_sharpness_{seed}" for column, seed in DIRECTIONS.items()}
    models = printed.rename(columns=NAMES | pairs)
    models["optimizer"] = models["optimizer"].replace(OPTIMIZERS)
    recipe = zip(models["optimizer"], models["learning_rate"], models["batch_size"], strict=True)
    inside, outside = (
        models[[f"accuracy_{device}" for device in group]].mean(axis=1).round(DECIMALS)
        for group in (SEEN, UNSEEN)
    )
    models = models.assign(
        dataset=PRINTED_SCENES,
        condition=[f"{name}_lr{rate:g}_batch{size}" for name, rate, size in recipe],
        control="baseline",
        accuracy_in_domain=inside,
        accuracy_out_of_domain=outside,
        domain_gap=100 * (inside - outside),
    )
    return models[[*RUN, *SETTINGS, *MODEL_MEASURES, *pairs.values()]]


def printed_pair_values(models: pd.DataFrame) -> pd.DataFrame:
    """Return the sharpness along single pairs of directions in the form of `pair_values`.

    Args:
        models: rows of `printed_models`.
    """
    names = {f"asc_sharpness_{seed}": seed for seed in DIRECTIONS.values()}
    values = models.melt(RUN, list(names), "direction_seed", "value")
    values["direction_seed"] = values["direction_seed"].map(names)
    return values.assign(view="clean")[VALUE_COLUMNS]


def printed_domains(printed: pd.DataFrame) -> pd.DataFrame:
    """Return the printed accuracies by recording device and by city, one row each.

    Columns are ``dataset``, ``network``, ``condition``, ``seed``, ``kind`` ("domain" or "city"),
    ``name``, ``seen`` (whether the device occurs in training, empty for cities), ``accuracy`` (a
    fraction) and ``n`` (test clips).

    Args:
        printed: rows of ``resources/print/asc_models.csv``.

    Raises:
        InputError: if a column is missing.
    """
    places = [("domain", name, True, n) for name, n in SEEN.items()]
    places += [("domain", name, False, n) for name, n in UNSEEN.items()]
    places += [("city", name, None, n) for name, n in CITIES.items()]
    require(printed, [f"accuracy_{name}" for _, name, _, _ in places], "printed scenes")
    runs = printed_models(printed)[RUN]
    parts = [
        runs.assign(kind=kind, name=name, seen=seen, accuracy=printed[f"accuracy_{name}"], n=n)
        for kind, name, seen, n in places
    ]
    return pd.concat([part.astype({"seen": "boolean"}) for part in parts], ignore_index=True)


def as_expected(found: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """Return our statistics under the names of ``resources/print/asc_expected.csv``.

    These are the correlations of ASC sharpness over all networks and its one-way shares.

    Args:
        found: rows of `correlations.correlations`.
        shares: rows of `variance.variance_shares`.

    Returns:
        Data frame with the columns ``statistic``, ``group``, ``value``, ``p_value`` and ``n``.
    """
    found = found[(found["network"] == ALL_NETWORKS) & (found["sharpness"] == MEASURE)]
    groups = {ours: theirs for theirs, ours in GROUPS.items()}
    found = found.assign(group=found["evaluation"].map(groups))
    shares = shares[(shares["kind"] == ONE_WAY) & (shares["response"] == MEASURE)]
    factors = {ours: theirs for theirs, ours in FACTORS.items()}
    shares = shares.assign(statistic=SHARE, group=shares["factor"].replace(factors))
    return pd.concat([part[EXPECTED_COLUMNS] for part in (found, shares)], ignore_index=True)


def compare_with_expected(computed: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Return each expected statistic beside ours.

    Columns are ``statistic``, ``group``, ``expected``, ``computed``, ``difference`` (computed
    minus expected), ``agrees`` (by at most 0.002), ``expected_p_value``, ``computed_p_value``,
    ``p_relative_difference`` (of the expected one), ``p_agrees`` (by at most 5 %), ``expected_n``
    and ``computed_n``. What we have no value of agrees with nothing.

    Args:
        computed: ``statistic``, ``group``, ``value``, ``p_value`` and ``n``.
        expected: likewise, rows of ``resources/print/asc_expected.csv``.

    Raises:
        InputError: if a column is missing, or a statistic is there twice.
    """
    for table, name in ((computed, "computed"), (expected, "expected statistics")):
        require(table, EXPECTED_COLUMNS, name)
        twice = table[table.duplicated(["statistic", "group"])]
        if len(twice):
            row = twice.iloc[0]
            raise InputError(f"{name}: {row['statistic']} of {row['group']} twice; keep one")
    keys = ["statistic", "group"]
    both = expected.merge(computed, on=keys, how="left", suffixes=("_expected", "_computed"))
    difference = both["value_computed"] - both["value_expected"]
    p_difference = both["p_value_computed"] / both["p_value_expected"] - 1
    columns = {
        "expected": both["value_expected"],
        "computed": both["value_computed"],
        "difference": difference,
        "agrees": difference.abs() <= TOLERANCE,
        "expected_p_value": both["p_value_expected"],
        "computed_p_value": both["p_value_computed"],
        "p_relative_difference": p_difference,
        "p_agrees": p_difference.abs() <= P_TOLERANCE,
        "expected_n": both["n_expected"],
        "computed_n": both["n_computed"].astype("Int64"),
    }
    return both[keys].assign(**columns)
