"""What a study found, in sentences: every number and every direction is read from its tables.

Of each network: which evaluations go with sharpness over its conditions, how surely, what SAM does,
which networks did not train, and what all this does not show. Three properties keep the sentences
honest: a direction is only said where it is sure for all correlations of a network together,
networks that look alike share a sentence, and what the tables lack is left out or named as missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from .correlations import ALL_NETWORKS, to_read
from .evidence import CONTRADICTED, INCONCLUSIVE, LEVEL, SUPPORTED
from .measure_names import HIGHER, LOWER, describe
from .numbers import format_interval, format_number, span
from .rank_correlation import FEWEST
from .render import Text, captioned
from .tables import MAIN_MEASURES, at_minima
from .wording import all_in_words, counted, in_words, listed

COLUMNS = ["dataset", "topic", "sentence"]
LINK = ["network", "sharpness", "evaluation", "value", "lower", "upper", "n", "note", "p_holm"]
STATISTIC = "spearman"
# With more seeds the factor of Student's t is close to that of a normal distribution.
FEW_SEEDS = 5
# With fewer conditions only a correlation near one is sure.
FEW_CONDITIONS = 10
OF_SAM = 3
OF_SAM_VERDICTS = {
    SUPPORTED: f"In {{}}, SAM surely made minima sharper by some measure (claim {OF_SAM}).",
    CONTRADICTED: f"In {{}}, SAM made minima sharper by no measure (claim {OF_SAM}).",
    INCONCLUSIVE: f"In {{}}, it stays open whether SAM made minima sharper (claim {OF_SAM}).",
}
# Conditions whose networks did not train that a sentence names.
MOST_PLACES = 4
BETTER, WORSE, BOTH = "better", "worse", "both"
CORRELATIONS_CAPTION = (
    "Spearman's rank correlation of each evaluation with each measure of sharpness over the"
    f" conditions' means, with its {100 * LEVEL:.0f} % interval from {FEWEST} conditions on. Above"
    " zero: the sharper a condition's minima, the larger the evaluation. Bold: sure for all"
    " correlations of these conditions together (Holm's correction)."
)
POOLED_CAPTION = (
    " Over all networks together, differences between networks look like a correlation, too."
)


@dataclass(frozen=True)
class Link:
    """How an evaluation goes with a measure of sharpness, over the conditions of a network.

    Attributes:
        value: rank correlation, NaN for none.
        lower: end of its interval, NaN for none.
        upper: the other end.
        n: number of conditions.
        note: why there is no correlation or no interval.
        p_holm: p-value, corrected for all links of the network; NaN for none.
    """

    network: str
    sharpness: str
    evaluation: str
    value: float
    lower: float
    upper: float
    n: int
    note: str
    p_holm: float

    @property
    def sign(self) -> int:
        """1 or −1 where the link is sure, 0 otherwise."""
        return int(np.sign(self.value)) if self.p_holm <= 1 - LEVEL else 0

    @property
    def text(self) -> str:
        """The correlation with its interval."""
        if np.isnan(self.lower):
            return f"{format_number(self.value, '.2f')}, without an interval"
        return format_interval(self.value, self.lower, self.upper, ".2f")


@dataclass(frozen=True)
class Network:
    """A network of a data set, and what is known of it."""

    name: str
    links: Sequence[Link]

    @cached_property
    def known(self) -> list[Link]:
        """Links that have a correlation."""
        return [link for link in self.links if not np.isnan(link.value)]

    @property
    def evaluations(self) -> list[str]:
        """Evaluations with a known link."""
        return list(dict.fromkeys(link.evaluation for link in self.known))

    def sure(self, evaluation: str) -> list[Link]:
        """Links of an evaluation that are sure."""
        return [link for link in self.known if link.evaluation == evaluation and link.sign]

    def outcome(self, evaluation: str) -> str:
        """What sharper minima are on an evaluation: better, worse, both, or empty where open."""
        direction = {HIGHER: 1, LOWER: -1}.get(describe(evaluation).direction, 0)
        signs = {link.sign * direction for link in self.sure(evaluation)} - {0}
        return {(1,): BETTER, (-1,): WORSE, (-1, 1): BOTH}.get(tuple(sorted(signs)), "")


def answers(
    summary: pd.DataFrame,
    conditions: pd.DataFrame,
    claims: pd.DataFrame,
    correlations: pd.DataFrame,
    trends: pd.DataFrame,
    trend_points: pd.DataFrame,
) -> pd.DataFrame:
    """Return the sentences about each data set, in their order.

    Args:
        summary: rows of `summary.summarise`.
        conditions: rows of `model_table.conditions_table`.
        claims: rows of `claims.claims`.
        correlations: rows of `correlations.correlations`.
        trends: rows of `trends.trends`.
        trend_points: rows of `trends.condition_means`.

    Returns:
        Data frame with the columns ``dataset``, ``topic`` and ``sentence``.
    """
    rows = []
    for dataset, minima in at_minima(summary).groupby("dataset", sort=False):
        of = {"conditions": conditions, "claims": claims, "trends": trends, "means": trend_points}
        own = {name: table[table["dataset"] == dataset] for name, table in of.items()}
        found = correlations[correlations["dataset"] == dataset]
        networks = networks_of(found, list(minima["network"].unique()))
        said = [
            *(("answer", text) for text in outcomes(networks)),
            *(("sam", text) for text in about_sam(own["means"], own["conditions"], own["claims"])),
            *(("untrained", text) for text in untrained(minima)),
            *(("evidence", text) for text in evidence(networks)),
            *(("pooled", text) for text in reversals(own["trends"])),
            *(("limits", text) for text in limits(networks, minima)),
        ]
        rows += [(dataset, topic, sentence) for topic, sentence in said]
    return pd.DataFrame(rows, columns=COLUMNS)


def text(answer: pd.DataFrame, correlations: pd.DataFrame) -> Text:
    """Return the `answers` of each data set as paragraphs, then its main correlations."""
    parts: list[str | pd.DataFrame] = []
    several = answer["dataset"].nunique() > 1
    for dataset, rows in answer.groupby("dataset", sort=False):
        by_topic = rows.groupby("topic", sort=False)["sentence"].agg(" ".join)
        first = f"**{dataset}: {by_topic['answer']}**" if several else f"**{by_topic['answer']}**"
        short, long = ("sam", "untrained"), ("evidence", "pooled", "limits")
        parts.append(" ".join([first, *(by_topic[name] for name in short if name in by_topic)]))
        if rest := [by_topic[name] for name in long if name in by_topic]:
            parts.append(" ".join(rest))
        found = correlations[correlations["dataset"] == dataset]
        if len(table := correlation_table(found)):
            parts.append(table)
    return parts


def networks_of(correlations: pd.DataFrame, names: Sequence[str]) -> list[Network]:
    """Return the networks of a data set with their links to the main measures of sharpness."""
    rows = main_rows(correlations)
    links = [Link(*row) for row in rows[LINK].itertuples(index=False)]
    return [Network(name, [link for link in links if link.network == name]) for name in names]


def main_rows(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the rank correlations of the papers' measures, or of all where a study has none.

    With a column ``p_holm``: p-values corrected for all of these of one network (Holm 1979).
    """
    rows = correlations[correlations["statistic"] == STATISTIC]
    rows = rows.assign(note=rows["note"].astype(object).fillna(""))
    for column in ("sharpness", "evaluation"):
        main = [name for name in MAIN_MEASURES if name in set(rows[column])]
        main = main or list(rows[column].unique())
        rows = rows[rows[column].isin(main)].sort_values(
            column, key=lambda names, main=main: names.map(main.index), kind="stable"
        )
    return rows.assign(p_holm=rows.groupby("network")["p_value"].transform(_holm))


def _holm(p_values: pd.Series) -> pd.Series:
    tested = p_values.dropna()
    corrected = multipletests(tested, method="holm")[1] if len(tested) else []
    return pd.Series(corrected, tested.index, dtype=float).reindex(p_values.index)


def outcomes(networks: Sequence[Network]) -> Iterator[str]:
    """Yield what sharper minima are: better or worse, on which evaluations, in which networks."""
    said: dict[str, list[str]] = {}
    for network in networks:
        said.setdefault(_outcome(network), []).append(network.name)
    for sentence, names in said.items():
        yield f"In {listed(names)}, {sentence}."


def _outcome(network: Network) -> str:
    judged = [name for name in network.evaluations if describe(name).direction != "none"]
    if not network.links:
        return "sharpness and evaluations were not measured together"
    if not network.known:
        return f"sharper and flatter minima cannot be compared ({_why(network)})"
    certain: dict[str, list[str]] = {}
    for evaluation in judged:
        if outcome := network.outcome(evaluation):
            certain.setdefault(_by_measures(network, evaluation, outcome), []).append(evaluation)
    rest = len(judged) - sum(map(len, certain.values()))
    if not judged:
        return "no evaluation was taken that can be better or worse"
    if not certain:
        links = f"any of {all_in_words(judged)}" if rest > 1 else all_in_words(judged)
        question = "it stays open whether sharper minima are better or worse"
        return f"{question} (no sure link with {links})"
    others = f"; {counted(rest, 'other evaluation')} stay{'s' * (rest == 1)} open" if rest else ""
    told = [f"{outcome} on {all_in_words(names)}" for outcome, names in certain.items()]
    return f"sharper minima were {'; '.join(told)}{others}"


def _by_measures(network: Network, evaluation: str, outcome: str) -> str:
    """Return an outcome with the share of the measures of sharpness that make it sure."""
    if outcome == BOTH:
        return "surely better by one measure of sharpness and surely worse by another"
    measures = {link.sharpness for link in network.known if link.evaluation == evaluation}
    if len(measures) == 1:
        return f"surely {outcome} by {in_words(measures.pop(), 'sharpness')}"
    every = len(network.sure(evaluation)) == len(measures)
    return f"surely {outcome} by {'every measure' if every else 'some measures'} of sharpness"


def evidence(networks: Sequence[Network]) -> Iterator[str]:
    """Yield the sure correlations of each network, or the largest where none is sure."""
    told = [network for network in networks if network.known]
    for network in told:
        over = f"over the {span({link.n for link in network.known})} conditions of {network.name}"
        parts = [
            _sure(network, links)
            for evaluation in network.evaluations
            if (links := network.sure(evaluation))
        ]
        if parts:
            yield f"{over[0].upper()}{over[1:]}, the sharper the minima, {', '.join(parts)}."
        else:
            yield f"{over[0].upper()}{over[1:]} no correlation {_largest(network)}."
    if any(not np.isnan(link.p_holm) for network in told for link in network.known):
        yield (
            "Sure means that Spearman's rank correlation ρ differs from zero at"
            f" {100 * LEVEL:.0f} % for all correlations of a network together (Holm's correction)."
        )


def _largest(network: Network) -> str:
    """Return that no correlation is sure, and the largest, or that none can be."""
    intervals = [link for link in network.known if not np.isnan(link.lower)]
    if not intervals:
        return f"can be sure: it takes {FEWEST} conditions or more"
    largest = max(intervals, key=lambda link: abs(link.value))
    alike = sum(np.isclose(abs(link.value), abs(largest.value)) for link in intervals)
    which = "the largest" if alike == 1 else f"one of the {alike} largest"
    return (
        f"is sure; {which} is that of {in_words(largest.evaluation)} with"
        f" {in_words(largest.sharpness, 'sharpness')}, ρ = {largest.text}"
    )


def _sure(network: Network, links: Sequence[Link]) -> str:
    first = links[0]
    measures = {link.sharpness for link in network.known if link.evaluation == first.evaluation}
    same = [link for link in links if link.sign == first.sign]
    more = "higher" if first.sign > 0 else "lower"
    by = f"sure by {len(same)} of {counted(len(measures), 'measure')} of sharpness"
    other = len(links) - len(same)
    return (
        f"the {more} the {in_words(first.evaluation)} (ρ with"
        f" {in_words(first.sharpness, 'sharpness')} {first.text}; {by}"
        + (f", surely the other way by {other})" if other else ")")
    )


def _why(network: Network) -> str:
    return "; ".join(dict.fromkeys(link.note for link in network.links if link.note))


def about_sam(means: pd.DataFrame, conditions: pd.DataFrame, claims: pd.DataFrame) -> Iterator[str]:
    """Yield whether SAM sharpened minima, and by which factors, of each network."""
    claims = claims[claims["claim"] == OF_SAM]
    factors: dict[str, str] = {}
    by_verdict: dict[str, list[str]] = {}
    for network, rows in means.groupby("network", sort=False):
        pairs = conditions[conditions["network"] == network].set_index("condition")["without_sam"]
        if found := _factors(rows, pairs.dropna().to_dict()):
            factors[network] = found
            verdicts = set(claims.loc[claims["network"] == network, "verdict"])
            # Cells of a sweep can have several baselines, each with a verdict.
            verdict = verdicts.pop() if len(verdicts) == 1 else INCONCLUSIVE
            by_verdict.setdefault(verdict, []).append(network)
    for verdict, names in by_verdict.items():
        if verdict in OF_SAM_VERDICTS:
            yield OF_SAM_VERDICTS[verdict].format(listed(names))
    for network, found in factors.items():
        where = f" of {network}" if len(factors) > 1 else ""
        yield f"With SAM the means{where} are {found}."


def _factors(rows: pd.DataFrame, pairs: Mapping[str, str]) -> str:
    """Return by which factors the main measures of sharpness are larger with SAM than without."""
    means = rows.set_index("condition")
    ranges, most = [], 0
    for measure in MAIN_MEASURES:
        if measure not in means or describe(measure).category != "sharpness":
            continue
        with_sam = means[measure].reindex(list(pairs)).to_numpy()
        without = means[measure].reindex(list(pairs.values())).to_numpy()
        usable = (with_sam > 0) & (without > 0)
        if usable.any():
            ratios = with_sam[usable] / without[usable]
            ends = dict.fromkeys(_factor(ratio) for ratio in (ratios.min(), ratios.max()))
            times = " times as large" * (not ranges)
            ranges.append(f"{' to '.join(ends)}{times} by {in_words(measure)}")
            most = max(most, int(usable.sum()))
    if not ranges:
        return ""
    compared = counted(most, "pair of conditions", "pairs of conditions")
    return f"{listed(ranges)} ({compared})"


def _factor(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else format_number(ratio, ".2f" if ratio >= 0.1 else ".2g")


def untrained(minima: pd.DataFrame) -> Iterator[str]:
    """Yield how many networks did not train, and in which conditions."""
    keys = ["network", "condition"]
    counts = minima.groupby(keys, sort=False)[["n_seeds", "n_untrained"]].max().astype(int)
    bad = counts[counts["n_untrained"] > 0]
    total = int(counts["n_seeds"].sum())
    if bad.empty:
        return
    places = [f"{network}, {condition}: {n}" for (network, condition), (_, n) in bad.iterrows()]
    shown = "; ".join(places[:MOST_PLACES]) + ("; and others" * (len(places) > MOST_PLACES))
    number = int(bad["n_untrained"].sum())
    yield (
        f"{number} of {counted(total, 'network')} did not train ({shown}) and count"
        f"{'s' * (number == 1)} in no comparison."
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


def limits(networks: Sequence[Network], minima: pd.DataFrame) -> Iterator[str]:
    """Yield what the numbers cannot show."""
    seeds = int(minima["n_seeds"].max())
    if seeds == 1:
        yield "With one seed no difference between two conditions can be sure."
    elif seeds <= FEW_SEEDS:
        factor = stats.t.ppf((1 + LEVEL) / 2, seeds - 1)
        yield (
            f"With {seeds} seeds a difference between two conditions has to be {factor:.1f} times"
            " its standard error to be sure."
        )
    counts = {link.n for network in networks for link in network.known}
    if counts and FEWEST <= min(counts) < FEW_CONDITIONS:
        yield f"{span(counts)} conditions are few: only the strongest links can be sure."
    if any(not network.sure(name) for network in networks for name in network.evaluations):
        yield "Open does not mean that there is no link."
    if counts:
        yield (
            "Nor does a link say that sharpness is its cause: conditions differ in more than"
            " the sharpness of their minima."
        )


def correlation_table(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the main correlations of a data set to read, a row per network and evaluation."""
    found = main_rows(to_read(correlations))
    # All networks together come last.
    found = found.sort_values("network", key=lambda names: names == ALL_NETWORKS, kind="stable")
    order = {name: number for number, name in enumerate(found["network"].unique())}
    found = found.sort_values("network", key=lambda names: names.map(order), kind="stable")
    several = len(order) > 1
    rows = []
    for (network, evaluation), group in found.groupby(["network", "evaluation"], sort=False):
        name = {ALL_NETWORKS: "all\u00a0networks"}.get(network, network)
        row = {"Network": name} if several else {}
        row["Evaluation"] = describe(evaluation).label
        for link in (Link(*found) for found in group[LINK].itertuples(index=False)):
            # The caption says that there is no interval.
            few = np.isnan(link.lower)
            cell = format_number(link.value, ".2f") if few else link.text
            label = describe(link.sharpness, "sharpness").label
            row[label] = f"**{cell}**" if link.sign else cell
        rows.append(row | {"Conditions": span(group["n"])})
    caption = CORRELATIONS_CAPTION + (POOLED_CAPTION if several else "")
    return captioned(rows, caption) if rows else pd.DataFrame()
