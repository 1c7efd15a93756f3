"""The published models of acoustic scenes, in the shape of a study's own and analysed as these.

Tables are ``resources/published/asc_models.csv`` (published) and ``asc_expected.csv`` (expected).
"""

import pandas as pd
from scipy import stats

from ..tables_and_figures import PUBLISHED_SCENES
from . import claims_text, relations
from . import domain_correlations as of_domains
from .claims import claims_measured
from .collect import RUN
from .correlations import correlations
from .measure_names import describe
from .model_table import CONDITION, SETTINGS, accuracies_of, require
from .numbers import format_estimate, format_number, span
from .published import numeric
from .render import Text, captioned
from .stability import MEASURE, VALUE_COLUMNS, stability_tables
from .trends import trends
from .variance import ONE_WAY, shares, variance_shares

# Published names and ours.
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
CITIES = {"barcelona": 358, "helsinki": 360, "lisbon": 360} | dict.fromkeys(
    ("london", "lyon", "milan", "paris", "prague", "stockholm", "vienna"), 270
)
PLACES = [("domain", True, SEEN), ("domain", False, UNSEEN), ("city", None, CITIES)]
# Published column and the seed of the random directions.
DIRECTIONS = {f"sharpness_direction_{i}": seed for i, seed in enumerate((42, 43, 44), start=1)}
DECIMALS = 12
MODEL_MEASURES = [
    *(MEASURE, "asc_sharpness_std", "asc_sharpness_max"),
    *("test_accuracy", "accuracy_in_domain", "accuracy_out_of_domain", "domain_gap"),
]
EXPECTED_COLUMNS = ["statistic", "group", "value", "p_value", "n"]
# Of our tables and of the expected one.
GROUPS = {
    "test_accuracy": "accuracy_all",
    "accuracy_in_domain": "accuracy_in_domain_mean",
    "accuracy_out_of_domain": "accuracy_out_of_domain_mean",
}
STATISTICS = {
    "spearman": stats.spearmanr,
    "pearson": stats.pearsonr,
    "kendall": stats.kendalltau,
}
FACTORS = {"optimizer": "optimiser", "network": "architecture"}
SHARE = "eta_squared_log_sharpness"
# Both cover what rounding does to ties among mean accuracies; that of p is relative.
TOLERANCE = 0.002
P_TOLERANCE = 0.05

COMPARISON_CAPTION = (
    "Published rows, re-analysed: the statistics that are expected of the published models of"
    " acoustic scenes, and ours of the same rows. Agrees: within 0.002, p-values within 5 %. These"
    " p-values take all models as independent, which the seeds of a condition are not; the"
    " correlations below are over conditions."
)


def reanalysis(published: pd.DataFrame, expected: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Return all that is made of a study's models, made of the published ones.

    Args:
        published: models, all cells as text.
        expected: statistics, likewise.

    Returns:
        Our statistics beside the expected ones, models, conditions (of which optimisers are the
        base), correlations, trends and their points, shares of variance, stability of models and
        of their order, accuracies by domain, correlations with these, claims.
    """
    published, expected = (
        numeric(table, table.columns.difference(NAMED, sort=False), "published scenes")
        for table in (published, expected)
    )
    models = published_models(published)
    accuracies, means = accuracies_of(models), published_means(models)
    domains = published_domains(published)
    return (
        compare_with_expected(as_expected(models), expected),
        models,
        models[[*CONDITION, "base_condition"]].drop_duplicates(),
        correlations(means, [MEASURE], accuracies),
        trends(means, [MEASURE], accuracies),
        means,
        variance_shares(models, [MEASURE]),
        *stability_tables(published_pair_values(models)),
        domains,
        of_domains.domain_correlations(domains, models, [MEASURE]),
        published_scene_claims(models),
    )


def published_models(published: pd.DataFrame) -> pd.DataFrame:
    """Return published rows as a table of models like that of `model_table.model_table`.

    Accuracies in and out of the domain are unweighted means over devices that occur in training
    and that do not, rounded to 12 decimals: floating point would break ties between them.

    Returns:
        One row per model under the data set ``dcase2020 (published)``: run, settings, the measures
        `MODEL_MEASURES` and the sharpness along single pairs of directions
        (``asc_sharpness_42``, ``_43``, ``_44``).

    Raises:
        InputError: if a column is missing.
    """
    places = [f"accuracy_{place}" for place in (*SEEN, *UNSEEN, *CITIES)]
    settings = ["batch_size", "learning_rate", "seed"]
    require(published, [*NAMES, *settings, *places, *DIRECTIONS], "published scenes")
    pairs = {column: f"asc_sharpness_{seed}" for column, seed in DIRECTIONS.items()}
    models = published.rename(columns=NAMES | pairs)
    models["optimizer"] = models["optimizer"].replace(OPTIMIZERS)
    recipe = zip(models["optimizer"], models["learning_rate"], models["batch_size"], strict=True)
    inside, outside = (
        models[[f"accuracy_{device}" for device in group]].mean(axis=1).round(DECIMALS)
        for group in (SEEN, UNSEEN)
    )
    models = models.assign(
        dataset=PUBLISHED_SCENES,
        condition=[f"{name}_lr{rate:g}_batch{size}" for name, rate, size in recipe],
        # Models that converged, as the paper says.
        trained=True,
        base_condition=models["optimizer"],
        accuracy_in_domain=inside,
        accuracy_out_of_domain=outside,
        domain_gap=100 * (inside - outside),
    )
    return models[[*RUN, *SETTINGS, "trained", *MODEL_MEASURES, *pairs.values()]]


def published_pair_values(models: pd.DataFrame) -> pd.DataFrame:
    """Return the sharpness of `published_models` along single pairs of directions.

    As `stability.pair_values` does of a study's.
    """
    names = {f"asc_sharpness_{seed}": seed for seed in DIRECTIONS.values()}
    values = models.rename(columns=names).melt(RUN, names.values(), "direction_seed", "value")
    return values.assign(view="clean")[VALUE_COLUMNS]


def published_domains(published: pd.DataFrame) -> pd.DataFrame:
    """Return the published accuracies by recording device and by city, one row each.

    Columns are ``dataset``, ``network``, ``condition``, ``seed``, ``kind`` ("domain" or "city"),
    ``name``, ``seen`` (whether the device occurs in training, empty for cities), ``accuracy`` (a
    fraction) and ``n`` (test clips).
    """
    runs = published_models(published)[RUN]
    parts = [
        runs.assign(kind=kind, name=name, seen=seen, accuracy=published[f"accuracy_{name}"], n=n)
        for kind, seen, clips in PLACES
        for name, n in clips.items()
    ]
    return pd.concat([part.astype({"seen": "boolean"}) for part in parts], ignore_index=True)


def published_scene_claims(models: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims.claims` on `published_models`, whose seeds are those of all conditions."""
    evaluations = ["test_accuracy", "accuracy_in_domain", "accuracy_out_of_domain", "domain_gap"]
    names = {MEASURE: "landscape"} | dict.fromkeys(evaluations, "evaluation")
    values = models.melt([*RUN, "trained"], list(names), "measure", "value")
    values = values.assign(
        family=values["measure"].map(names),
        unit=[describe(name).unit for name in values["measure"]],
        noise_floor=float("nan"),
    )
    conditions = models[CONDITION].drop_duplicates()
    # None is compared with a baseline, so that none is a control.
    about = {"baseline": None, "without_sam": None, "matched": True, "regularised": False}
    conditions = conditions.assign(**about)
    return claims_measured(
        values, conditions, models, smallest_differences={}, recordings=[PUBLISHED_SCENES]
    )


def published_means(models: pd.DataFrame) -> pd.DataFrame:
    """Return means of conditions of `published_models`, as `trends.condition_means` does."""
    names = [MEASURE, *accuracies_of(models)]
    means = models.groupby(CONDITION, as_index=False, sort=False)[names].mean()
    return means.round(dict.fromkeys(names[1:], DECIMALS)).assign(n_untrained=0)


def as_expected(models: pd.DataFrame) -> pd.DataFrame:
    """Return our statistics of `published_models` under the names of the expected ones.

    These are SciPy's correlations of ASC sharpness with accuracies, and its one-way
    `variance.shares`. The expected p-values take all models as independent, seeds of one condition
    too, and so do these.
    """
    rows = [
        (name, GROUPS[accuracy], *correlation(models[MEASURE], models[accuracy]), len(models))
        for accuracy in accuracies_of(models)
        for name, correlation in STATISTICS.items()
    ]
    rows += [
        (SHARE, FACTORS.get(row["factor"], row["factor"]), row["value"], row["p_value"], row["n"])
        for row in shares(models, MEASURE, "ln")
        if row["kind"] == ONE_WAY
    ]
    return pd.DataFrame(rows, columns=EXPECTED_COLUMNS)


def compare_with_expected(computed: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Return each expected statistic beside ours.

    Columns are ``statistic``, ``group``, ``expected``, ``computed``, ``difference`` (computed
    minus expected), ``agrees`` (by at most 0.002), ``expected_p_value``, ``computed_p_value``,
    ``p_relative_difference`` (of the expected one), ``p_agrees`` (by at most 5 %), ``expected_n``
    and ``computed_n``. Statistics without a value of ours do not agree.

    Raises:
        InputError: if a column is missing.
        pandas.errors.MergeError: a statistic is there twice.
    """
    require(expected, EXPECTED_COLUMNS, "expected statistics")
    keys, suffixes = ["statistic", "group"], ("_expected", "_computed")
    both = expected.merge(computed, "left", keys, suffixes=suffixes, validate="one_to_one")
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


def text(
    claims: pd.DataFrame,
    by_domain: pd.DataFrame,
    compared: pd.DataFrame,
    found: pd.DataFrame,
    shares: pd.DataFrame,
    stability: pd.DataFrame,
) -> Text:
    """Return the claims on the published models, and what else is known of these.

    Of `published_scene_claims`, `domain_correlations.domain_correlations`, `compare_with_expected`,
    `correlations`, `variance_shares` and `stability.stability`.
    """
    return [
        *claims_text.text(claims),
        *of_domains.text(by_domain),
        _comparison(compared),
        *relations.text(found, shares),
        stability_sentence(stability),
    ]


def _comparison(compared: pd.DataFrame) -> pd.DataFrame:
    agree = compared["agrees"] & compared["p_agrees"]
    columns = {
        "Statistic": compared["statistic"],
        "Of": compared["group"],
        "Expected": [format_number(value, ".4f") for value in compared["expected"]],
        "Ours": [format_number(value, ".4f") for value in compared["computed"]],
        "p expected": map(format_estimate, compared["expected_p_value"]),
        "p ours": map(format_estimate, compared["computed_p_value"]),
        "n": compared["computed_n"],
        "Agrees": ["yes" if yes else "**no**" for yes in agree],
    }
    caption = f"{COMPARISON_CAPTION} {agree.sum()} of {len(agree)} agree."
    return captioned(columns, caption)


def stability_sentence(models: pd.DataFrame) -> str:
    """Return in words how many pairs of directions the models of a `stability` would need."""
    known = models["relative_standard_error"].dropna()
    if known.empty:
        return "Stability over pairs of directions needs two pairs or more."
    threshold = models["threshold"].iloc[0]
    needed = models["pairs_needed"].dropna()
    over, certain = span(models["pairs"]), (known <= threshold).sum()
    return (
        f"Over {over} pairs of directions {certain} of {len(known)} models have a relative standard"
        f" error of {100 * threshold:g} % or less; half of them would need {needed.median():.0f}"
        " pairs or more for it."
    )
