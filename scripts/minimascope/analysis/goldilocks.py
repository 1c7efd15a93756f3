"""Whether one value of sharpness is the best in several networks, or on several data sets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations, product

from .comparable import Comparable
from .differences import t_interval, welch
from .evidence import Evidence, all_of, any_of, unknown
from .findings import (
    PAIRS,
    Finding,
    Part,
    beaten,
    evaluations_of,
    extremes,
    judged,
    named,
    ranked_evaluations_of,
    sharpness_of,
    shown_mean,
)
from .wording import in_words, listed

# What is known of each condition of a network not being the best, by condition.
NotBest = Mapping[str, Evidence]

OTHER_AMOUNTS = (
    ". The papers measured relative flatness and SAM-sharpness of some data sets on a part of the"
    " training data, so that their values differ between data sets for that reason, too"
)
NOTHING_IN_COMMON = "no two networks have an evaluation and a measure of sharpness in common"


def no_value_is_best(*networks: Comparable) -> Finding:
    """Return what is known of claim 6: no measure of sharpness has a value that is best everywhere.

    For each evaluation and measure some two networks have no best value in common. That is, of each
    two of their conditions: one of them is not the best of its network, or their sharpness differs
    by more than what matters. That speaks against the claim of two networks only: of three, each
    two can have a best value in common without one that all have. Networks are independent of each
    other (Welch's t), the one that comes first is the reference.
    """
    networks = tuple(network.matched_alone() for network in networks)
    parts, apart = [], 0
    for evaluation in _of_any(ranked_evaluations_of, networks):
        ranked = [network for network in networks if evaluation in evaluations_of(network)]
        not_best = [_not_best(network, evaluation) for network in ranked]
        for measure in _of_any(sharpness_of, networks):
            places = [
                place
                for place in zip(ranked, not_best, strict=True)
                if measure in sharpness_of(place[0])
            ]
            if len(places) > 1:
                evidence = any_of([_differ(measure, *two) for two in combinations(places, 2)])
                if len(places) > 2:
                    # Each two can have a best value in common, and all of them none.
                    evidence = replace(evidence, p_against=1.0)
                name = named(places[0][0], evaluation, measure)
                parts.append(Part(evidence, name, evidence.decisive_for, evidence.decisive_against))
                best = _best([network for network, _ in places], evaluation, measure)
                apart += len(best) > 1 and not _overlap(best, measure)
    if not parts:
        return Finding(unknown(NOTHING_IN_COMMON), NOTHING_IN_COMMON, applies=False)
    numbers = (
        "By means, the intervals of the best conditions' sharpness have no value in common in"
        f" {apart} of {len(parts)} {PAIRS}{_ranges(networks)}"
    )
    if networks[0].source:
        numbers += OTHER_AMOUNTS
    return judged(all_of, parts, numbers, PAIRS)


def _of_any(measures_of: Callable[..., list[str]], networks: Sequence[Comparable]) -> list[str]:
    """Return the measures that any of the networks has."""
    return list(dict.fromkeys(name for network in networks for name in measures_of(network)))


def _not_best(network: Comparable, evaluation: str) -> NotBest:
    """Return what is known of each condition not being the best by an evaluation."""
    # A condition that has no other beside it is the best.
    alone = Evidence(1.0, 0.0, *["there is no other condition"] * 2)
    found = {name: beaten(network, name, evaluation) for name in network.conditions}
    return {name: _here(any_of(own) if own else alone, network) for name, own in found.items()}


def _differ(
    measure: str, first: tuple[Comparable, NotBest], second: tuple[Comparable, NotBest]
) -> Evidence:
    """Return what is known of the best conditions of two networks differing in sharpness."""
    (one, not_best), (other, not_best_there) = first, second
    return all_of(
        [
            any_of([not_best[a], not_best_there[b], _apart(measure, one, a, other, b)])
            for a, b in product(one.conditions, other.conditions)
        ]
    )


# Each evaluation asks for the same pairs again.
@cache
def _apart(measure: str, one: Comparable, a: str, other: Comparable, b: str) -> Evidence:
    """Return what is known of two conditions of two networks differing by more than what matters.

    The reference is the first one.
    """
    floor = max(one.floor(measure, a), other.floor(measure, b))
    smallest = one.names[measure].smallest_difference
    found = welch(other.estimate(measure, b), one.estimate(measure, a), smallest, floor)
    label = one.names[measure].column_label
    text = (
        f"{label} of {a} in {_place(one)} is {shown_mean(one, a, measure)}, of {b} in"
        f" {_place(other)} {shown_mean(other, b, measure)}"
    )
    return any_of([found.larger(text), found.smaller(text)])


def _here(found: Evidence, network: Comparable) -> Evidence:
    """Return evidence whose words say which network it is about."""
    words = (f"{_place(network)}: {text}" for text in (found.decisive_for, found.decisive_against))
    return Evidence(found.p_for, found.p_against, *words)


def _place(network: Comparable) -> str:
    return f"{network.network} on {network.dataset}"


def _best(
    networks: Sequence[Comparable], evaluation: str, measure: str
) -> list[tuple[Comparable, str]]:
    """Return the networks whose condition with the best mean has a sharpness, with that one."""
    found = (
        (network, extremes(network, evaluation)[0])
        for network in networks
        if evaluation in evaluations_of(network) and measure in sharpness_of(network)
    )
    return [(network, name) for network, name in found if network.has(measure, name)]


def _overlap(best: Sequence[tuple[Comparable, str]], measure: str) -> bool:
    """Return whether the intervals of the best means' sharpness have a value in common."""
    intervals = [t_interval(*network.estimate(measure, name)) for network, name in best]
    return bool(max(low for low, _ in intervals) <= min(high for _, high in intervals))


def _ranges(networks: Sequence[Comparable]) -> str:
    """Return from what to what the sharpness of the best by the first evaluation goes."""
    evaluation, *_ = _of_any(ranked_evaluations_of, networks)
    said = []
    for measure in _of_any(sharpness_of, networks):
        best = _best(networks, evaluation, measure)
        if len(best) > 1:
            best.sort(key=lambda place: place[0].means.at[place[1], measure])
            (low, a), (high, b) = best[0], best[-1]
            said.append(
                f"{low.names[measure].column_label} from {shown_mean(low, a, measure)} ({a}"
                f" in {_place(low)}) to {shown_mean(high, b, measure)} ({b} in {_place(high)})"
            )
    return f". With the best {in_words(evaluation)}: {listed(said)}" if said else ""
