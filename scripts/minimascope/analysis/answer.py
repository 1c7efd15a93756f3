"""What a study found, in sentences: every number and every direction is read from its tables.

Which evaluations go with sharpness over the conditions of a network, and over all networks; what
surely differs from the baseline; what SAM does; which networks did not train; and what all this
does not show. Three properties keep the sentences honest: a direction is only said where it is
sure, networks that look alike share a sentence, and what the tables lack is left out or named as
missing.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from scipy import stats

from . import against_baseline, links
from .correlations import ALL_NETWORKS
from .evidence import LEVEL
from .links import Network, correlation_table, networks_of
from .numbers import span
from .render import Fold, Text
from .tables import at_minima
from .wording import counted, in_words, listed

COLUMNS = ["dataset", "topic", "sentence"]
# Topics of the first paragraph, after the bold "answer", of the second, and of the fold.
SHORT = ("pooled", "differences", "sam", "untrained")
LONG = ("factors", "reversals")
FOLDED = ("evidence", "limits")
HOW_SURE = "How sure this is, and what it does not show"
# With more seeds the factor of Student's t is close to that of a normal distribution.
FEW_SEEDS = 5
# With fewer conditions only a correlation near one is sure.
FEW_CONDITIONS = 10
# Conditions whose networks did not train that a sentence names.
MOST_PLACES = 4


def answers(
    summary: pd.DataFrame,
    conditions: pd.DataFrame,
    statistics: pd.DataFrame,
    claims: pd.DataFrame,
    correlations: pd.DataFrame,
    trends: pd.DataFrame,
    trend_points: pd.DataFrame,
) -> pd.DataFrame:
    """Return the sentences about each data set, in their order.

    Args:
        summary: rows of `summary.summarise`.
        conditions: rows of `model_table.conditions_table`.
        statistics: rows of `statistics.statistics`.
        claims: rows of `claims.claims`.
        correlations: rows of `correlations.correlations`.
        trends: rows of `trends.trends`.
        trend_points: rows of `trends.condition_means`.

    Returns:
        Data frame with the columns ``dataset``, ``topic`` and ``sentence``.
    """
    tables = {"conditions": conditions, "statistics": statistics, "claims": claims}
    tables |= {"correlations": correlations, "trends": trends, "means": trend_points}
    rows = []
    for dataset, minima in at_minima(summary).groupby("dataset", sort=False):
        own = {name: table[table["dataset"] == dataset] for name, table in tables.items()}
        said = _about(minima, **own)
        rows += [(dataset, topic, sentence) for topic, found in said.items() for sentence in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def _about(
    minima: pd.DataFrame,
    conditions: pd.DataFrame,
    statistics: pd.DataFrame,
    claims: pd.DataFrame,
    correlations: pd.DataFrame,
    trends: pd.DataFrame,
    means: pd.DataFrame,
) -> dict[str, list[str]]:
    """Return the sentences about one data set by topic, from its rows of the tables."""
    trained = minima[minima["n_untrained"] < minima["n_seeds"]]["network"].unique()
    networks = networks_of(correlations, list(minima["network"].unique()), trained)
    # Of a single network they are the same.
    every = [ALL_NETWORKS] * (len(trained) > 1)
    pooled = networks_of(correlations, every, every)
    differences = list(against_baseline.differences(statistics, minima))
    said = {
        "answer": links.outcomes(networks),
        "pooled": (text for network in pooled for text in links.pooled_outcome(network)),
        "differences": differences,
        "sam": against_baseline.about_sam(conditions, claims),
        "untrained": untrained(minima, conditions),
        "evidence": [
            *links.evidence([*networks, *pooled]),
            *([against_baseline.SURE] if differences else []),
        ],
        "factors": against_baseline.factors_of_sam(means, conditions),
        "reversals": reversals(trends),
        "limits": limits(networks, statistics),
    }
    return {topic: list(found) for topic, found in said.items()}


def text(answer: pd.DataFrame, correlations: pd.DataFrame) -> Text:
    """Return the `answers` of each data set: paragraphs, main correlations, the rest folded."""
    parts: list[str | pd.DataFrame | Fold] = []
    several = answer["dataset"].nunique() > 1
    for dataset, rows in answer.groupby("dataset", sort=False):
        by_topic = rows.groupby("topic", sort=False)["sentence"].agg(" ".join)
        first = f"**{dataset}: {by_topic['answer']}**" if several else f"**{by_topic['answer']}**"
        parts.append(" ".join([first, *(by_topic[name] for name in SHORT if name in by_topic)]))
        if rest := [by_topic[name] for name in LONG if name in by_topic]:
            parts.append(" ".join(rest))
        found = correlations[correlations["dataset"] == dataset]
        if len(table := correlation_table(found)):
            parts.append(table)
        if len(folded := rows.loc[rows["topic"].isin(FOLDED), "sentence"]):
            parts.append(Fold(HOW_SURE, list(folded)))
    return parts


def untrained(minima: pd.DataFrame, conditions: pd.DataFrame) -> Iterator[str]:
    """Yield how many networks did not train, and in which conditions.

    Of networks that were trained elsewhere it is not known why they do not fit the data.
    """
    keys = ["network", "condition"]
    counts = minima.groupby(keys, sort=False)[["n_seeds", "n_untrained"]].max().astype(int)
    adopted = conditions.loc[conditions["adopted"].astype(bool), "condition"]
    elsewhere = counts.index.get_level_values("condition").isin(adopted)
    for own, kind, what in (
        (counts[~elsewhere], "network", "did not train"),
        (counts[elsewhere], "adopted network", "{} not fit the training data"),
    ):
        bad = own[own["n_untrained"] > 0]
        if bad.empty:
            continue
        places = [f"{network}, {condition}: {n}" for (network, condition), (_, n) in bad.iterrows()]
        shown = "; ".join(places[:MOST_PLACES]) + ("; and others" * (len(places) > MOST_PLACES))
        number = int(bad["n_untrained"].sum())
        one = number == 1
        yield (
            f"{number} of {counted(int(own['n_seeds'].sum()), kind)}"
            f" {what.format('does' if one else 'do')} ({shown}) and count{'s' * one} in no"
            " comparison."
        )


def reversals(trends: pd.DataFrame) -> Iterator[str]:
    """Yield which slopes over all networks are surely the reverse of every network's own."""
    rows = trends[(trends["network"] == ALL_NETWORKS) & trends["flips"].eq(True)]
    rows = rows[rows["certain"].eq(True)]
    names = [
        f"{in_words(row.evaluation)} along {in_words(row.sharpness, 'sharpness')}"
        for row in rows.itertuples()
    ]
    if names:
        yield (
            f"Over all networks together {listed(names)} surely runs the other way than within"
            " each: that trend is made of differences between networks (Simpson's paradox)."
        )


def limits(networks: Sequence[Network], statistics: pd.DataFrame) -> Iterator[str]:
    """Yield what the numbers cannot show."""
    yield from _of_few_seeds(statistics["n"])
    yield from _of_one_seed(statistics)
    counts = {link.n for network in networks if network.can_be_sure for link in network.tested}
    if counts and min(counts) < FEW_CONDITIONS:
        yield f"{span(counts)} conditions are few: only the strongest links can be sure."
    if any(not network.sure(name) for network in networks for name in network.evaluations):
        yield "Open does not mean that there is no link."
    if any(network.known for network in networks):
        yield (
            "A link does not say that sharpness is its cause: conditions differ in more than the"
            " sharpness of their minima. If they do not truly differ, a link says how runs vary,"
            " since the means of sharpness and of an evaluation may share the noise of seeds."
        )


def _of_few_seeds(counts: pd.Series) -> Iterator[str]:
    """Yield what few seeds mean for differences, from how many seeds each comparison has."""
    several = sorted(counts[counts > 1].unique())
    if several and several[0] <= FEW_SEEDS:
        factors = stats.t.ppf((1 + LEVEL) / 2, [several[0] - 1, several[-1] - 1])
        times = " to ".join(dict.fromkeys(f"{factor:.1f}" for factor in factors))
        yield (
            f"With {span(several)} seeds a difference between two conditions has to be {times}"
            " times its standard error to be sure."
        )


def _of_one_seed(statistics: pd.DataFrame) -> Iterator[str]:
    """Yield which differences have one seed: those of some conditions, those by some measures."""
    single = statistics["n"] == 1
    if single.all() and len(single):
        yield "With one seed no difference between two conditions can be sure."
    elif single.any():
        most = statistics.groupby(["network", "condition"])["n"].transform("max")
        found = {
            "of": list(statistics.loc[most == 1, "condition"].unique()),
            "by": [*map(in_words, statistics.loc[single & (most > 1), "measure"].unique())],
        }
        which = [f"those {word} {listed(names)}" for word, names in found.items() if names]
        yield f"Differences with one seed cannot be sure: {', and '.join(which)}."
