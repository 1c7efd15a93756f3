"""How evaluations go with sharpness over the conditions of networks: in sentences and as a table.

A link is sure where its rank correlation is, for all correlations of a network together.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from .correlations import ALL_NETWORKS, to_read
from .evidence import LEVEL
from .measure_names import HIGHER, LOWER, describe
from .numbers import format_interval, format_number, span
from .rank_correlation import FEWEST, fewest_of
from .render import captioned
from .tables import MAIN_MEASURES
from .wording import counted, in_words, listed

FIELDS = ["network", "sharpness", "evaluation", "value", "lower", "upper", "n", "note", "p_holm"]
STATISTIC = "spearman"
CAPTION = (
    "Spearman's rank correlation of each evaluation with each measure of sharpness over the"
    f" conditions' means, with its {100 * LEVEL:.0f} % interval from {FEWEST} conditions on. Above"
    " zero: the sharper a condition's minima, the larger the evaluation. Bold: sure for all"
    " correlations of these conditions together (Holm's correction)."
)
POOLED_CAPTION = (
    " Over all networks together, differences between networks look like a correlation, too."
)
SURE = (
    "A correlation is sure if Spearman's ρ differs from zero at"
    f" {100 * LEVEL:.0f} % for all correlations of a network together (Holm's correction)."
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
        """The correlation with its interval, which it must have."""
        return format_interval(self.value, self.lower, self.upper, ".2f")


@dataclass(frozen=True)
class Network:
    """A network of a data set, or all of them together, and what is known of it."""

    name: str
    links: Sequence[Link]
    trained: bool = True

    @cached_property
    def known(self) -> list[Link]:
        """Links that have a correlation."""
        return [link for link in self.links if not np.isnan(link.value)]

    @cached_property
    def tested(self) -> list[Link]:
        """Links whose correlation has an interval."""
        return [link for link in self.known if not np.isnan(link.lower)]

    @property
    def count(self) -> int:
        """How many correlations are tested together, or would be with more conditions."""
        return len(self.tested or self.known)

    @property
    def can_be_sure(self) -> bool:
        """Whether a perfect order of its conditions would be sure for so many correlations."""
        return any(link.n >= fewest_of(self.count) for link in self.tested)

    @property
    def evaluations(self) -> list[str]:
        """Evaluations with a known link."""
        return list(dict.fromkeys(link.evaluation for link in self.known))

    def sure(self, evaluation: str) -> list[Link]:
        """Links of an evaluation that are sure."""
        return [link for link in self.known if link.evaluation == evaluation and link.sign]

    @property
    def all_sure(self) -> list[Link]:
        """Links that are sure."""
        return [link for link in self.known if link.sign]


def networks_of(
    correlations: pd.DataFrame, names: Sequence[str], trained: Collection[str]
) -> list[Network]:
    """Return networks of a data set with their links to the main measures of sharpness.

    Args:
        correlations: rows of `correlations.correlations` of the data set.
        names: of the networks.
        trained: names of those that trained in some condition.
    """
    rows = main_rows(correlations)
    links = [Link(*row) for row in rows[FIELDS].itertuples(index=False)]
    return [
        Network(name, [link for link in links if link.network == name], name in trained)
        for name in names
    ]


def main_rows(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the rank correlations of the papers' measures, or of all where a study has none.

    With a column ``p_holm``: p-values corrected for all of these of one network (Holm 1979).
    """
    rows = correlations[correlations["statistic"] == STATISTIC]
    rows = rows.assign(note=rows["note"].astype(object).fillna(""))
    for column in ("sharpness", "evaluation"):
        main = main_of(list(rows[column].unique()))
        rows = rows[rows[column].isin(main)].sort_values(
            column, key=lambda names, main=main: names.map(main.index), kind="stable"
        )
    return rows.assign(p_holm=rows.groupby("network")["p_value"].transform(_holm))


def main_of(measures: Sequence[str]) -> list[str]:
    """Return the papers' measures of some, or all where there are none of them."""
    return [name for name in MAIN_MEASURES if name in measures] or list(measures)


def _holm(p_values: pd.Series) -> pd.Series:
    tested = p_values.dropna()
    corrected = multipletests(tested, method="holm")[1] if len(tested) else []
    return pd.Series(corrected, tested.index, dtype=float).reindex(p_values.index)


def outcomes(networks: Sequence[Network]) -> Iterator[str]:
    """Yield what sharper minima are: better or worse, on which evaluations, in which networks."""
    said: dict[str, list[str]] = {}
    each = " per network" if sum(bool(network.known) for network in networks) > 1 else ""
    for network in networks:
        said.setdefault(_outcome(network, each), []).append(network.name)
    for sentence, names in said.items():
        yield f"In {listed(names)}, {sentence}."


def _outcome(network: Network, each: str) -> str:
    if not network.links:
        return "sharpness and evaluations were not measured together"
    if not network.known:
        why = _why(network) if network.trained else "no network trained"
        return f"sharper and flatter minima cannot be compared ({why})"
    count = f"{counted(network.count, 'correlation')}{each}"
    if not network.can_be_sure:
        few = span({link.n for link in network.tested or network.known})
        return (
            f"{few} conditions are too few to say whether sharper minima are better or worse: of"
            f" {count} {_none_can_be_sure(network)}"
        )
    if not network.all_sure:
        return f"it stays open whether sharper minima are better or worse: of {count} none is sure"
    told = [_with_measures(network, name) for name in network.evaluations if network.sure(name)]
    still = len(network.tested) - len(network.all_sure)
    rest = f"; of {count} {still} stay{'s' * (still == 1)} open" if still else ""
    return f"sharper minima {listed(told)}{rest}"


def _none_can_be_sure(network: Network) -> str:
    return f"none can be sure with fewer than {fewest_of(network.count)} conditions"


def _with_measures(network: Network, evaluation: str) -> str:
    """Return what sharper minima surely are on an evaluation, and by which measures."""
    name, better = in_words(evaluation), describe(evaluation).direction
    links = network.sure(evaluation)
    signs = {link.sign for link in links}
    if len(signs) > 1:
        return f"were surely higher in {name} by one measure of sharpness and lower by another"
    higher = signs == {1}
    if better in (HIGHER, LOWER):
        outcome = "better" if higher == (better == HIGHER) else "worse"
        text = f"were surely {outcome} on {name}"
    else:
        text = f"had a surely {'higher' if higher else 'lower'} {name}"
    measures = {link.sharpness for link in network.known if link.evaluation == evaluation}
    if len(measures) == 1:
        return f"{text} by {in_words(measures.pop(), 'sharpness')}"
    return f"{text} by {len(links)} of {len(measures)} measures of sharpness"


def pooled_outcome(pooled: Network) -> Iterator[str]:
    """Yield how many correlations over all networks together are sure, and in which direction."""
    if not pooled.tested:
        return
    count = counted(pooled.count, "correlation")
    if not pooled.all_sure:
        none = "none is sure" if pooled.can_be_sure else _none_can_be_sure(pooled)
        yield f"Over all networks together, of {count} {none}."
        return
    told = [
        f"the {'higher' if sign > 0 else 'lower'} the {in_words(name)}"
        for name, sign in dict.fromkeys((link.evaluation, link.sign) for link in pooled.all_sure)
    ]
    sure = len(pooled.all_sure)
    yield (
        f"Over all networks together, of {count} {sure} {'is' if sure == 1 else 'are'} sure: the"
        f" sharper the minima, {listed(told)}. Differences between networks alone can make such a"
        " correlation."
    )


def evidence(networks: Sequence[Network]) -> Iterator[str]:
    """Yield the sure correlations of each network, or the largest where none is sure."""
    told = [network for network in networks if network.tested]
    for network in told:
        name = "all networks together" if network.name == ALL_NETWORKS else network.name
        over = f"Over the {span({link.n for link in network.tested})} conditions of {name}"
        parts = [
            _sure(network, links)
            for evaluation in network.evaluations
            if (links := network.sure(evaluation))
        ]
        if parts:
            yield f"{over}, the sharper the minima, {', '.join(parts)}."
        else:
            yield f"{over} no correlation {_largest(network)}."
    if told:
        yield SURE


def _largest(network: Network) -> str:
    """Return that no correlation is sure, and the largest."""
    largest = max(network.tested, key=lambda link: abs(link.value))
    alike = sum(bool(np.isclose(abs(link.value), abs(largest.value))) for link in network.tested)
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
        for link in (Link(*found) for found in group[FIELDS].itertuples(index=False)):
            # The caption says that there is no interval.
            few = np.isnan(link.lower)
            cell = format_number(link.value, ".2f") if few else link.text
            label = describe(link.sharpness, "sharpness").label
            row[label] = f"**{cell}**" if link.sign else cell
        rows.append(row | {"Conditions": span(group["n"])})
    caption = CAPTION + (POOLED_CAPTION if several else "")
    return captioned(rows, caption) if rows else pd.DataFrame()
