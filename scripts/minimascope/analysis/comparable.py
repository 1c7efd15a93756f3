"""What claims are tested on: the conditions of a network, and whether two of them differ."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ..components import IMAGES, RECORDINGS
from .differences import Difference, Estimate, differences_from, welch
from .measure_names import MeasureName, describe, names_in
from .model_table import CONDITION, require
from .published import published_errors

SAM = "_sam"
PUBLISHED_BASELINE = "baseline"
DISAGREEMENT = "prediction_disagreement"
# A measure, a condition, and the reference it is compared with.
Pair = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Comparable:
    """The conditions of one network that are compared with one baseline.

    Attributes:
        dataset: its data set.
        network: its name.
        baseline: condition that the others are compared with, "" for none.
        conditions: all of which there is a network to judge, the baseline first.
        without_sam: for a condition with SAM the one that differs in having none.
        means: [condition, measure], NaN where there is none.
        errors: their standard errors, likewise.
        differences: by measure, condition and reference.
        names: of the measures.
        seeds: of each value, the fewest and the most.
        method: what errors and differences are.
        source: of published numbers, the paper; otherwise empty.
        left_out: networks that did not train, or published values that are in doubt.
        unmatched: those of the conditions whose seeds are not matched with the others'.
        regularised: those of the conditions that are regularised controls
            (`study.conditions.condition_rows`); of published ones all but the baseline.
        data: IMAGES, as which points count, or RECORDINGS.
        floors: [condition, measure], noise floors of the values; none of published means.
        models: rows of `model_table.model_table` of the networks that trained; none of published
            means.
    """

    dataset: str
    network: str
    baseline: str
    conditions: tuple[str, ...]
    without_sam: Mapping[str, str]
    means: pd.DataFrame
    errors: pd.DataFrame
    differences: Mapping[Pair, Difference]
    names: Mapping[str, MeasureName]
    seeds: tuple[int, int]
    method: str
    source: str = ""
    left_out: int = 0
    unmatched: tuple[str, ...] = ()
    regularised: tuple[str, ...] = ()
    data: str = IMAGES
    floors: pd.DataFrame = field(default_factory=pd.DataFrame)
    models: pd.DataFrame = field(default_factory=pd.DataFrame)

    def estimate(self, measure: str, condition: str) -> Estimate:
        """Return a mean over seeds by itself, with the degrees of freedom of the fewest seeds."""
        mean, error = (table.at[condition, measure] for table in (self.means, self.errors))
        return Estimate(float(mean), float(error), self.seeds[0] - 1)

    def has(self, measure: str, condition: str) -> bool:
        """Return whether there is a mean."""
        return bool(pd.notna(self.means.at[condition, measure]))

    def has_any(self, measure: str) -> bool:
        """Return whether any condition has a mean."""
        return measure in self.means and bool(self.means[measure].notna().any())

    def floor(self, measure: str, condition: str) -> float:
        """Return the noise floor of a mean, 0 where none is known."""
        floor = self.floors.at[condition, measure] if measure in self.floors else math.nan
        return 0.0 if math.isnan(floor) else float(floor)

    def matched_alone(self) -> "Comparable":
        """Return the same without the conditions whose seeds are not matched."""
        matched = tuple(name for name in self.conditions if name not in self.unmatched)
        means, errors = (table.reindex(matched) for table in (self.means, self.errors))
        plain = {a: b for a, b in self.without_sam.items() if a in matched and b in matched}
        differences = {
            pair: found
            for pair, found in self.differences.items()
            if pair[1] in matched and pair[2] in matched
        }
        return replace(
            self,
            conditions=matched,
            regularised=tuple(name for name in self.regularised if name in matched),
            without_sam=plain,
            means=means,
            errors=errors,
            differences=differences,
        )


def measured(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    smallest_differences: Mapping[str, float | str],
    models: pd.DataFrame | None = None,
    recordings: Sequence[str] = (),
) -> Iterator[Comparable]:
    """Yield what a study measured: each network, once for each baseline that it has.

    A sweep can have several: the cells of the baseline that other cells are compared with.
    Differences are paired by seed, their errors have n - 1 degrees of freedom. Networks that did
    not train are left out; where none did, there are no conditions. So are measures that only some
    of a network's conditions and seeds have, because the study asks for no more of them.

    Args:
        values: rows of `summary.seed_values`.
        conditions: rows of `model_table.conditions_table`.
        smallest_differences: those of the study, by measure.
        models: rows of `model_table.model_table`, None for none.
        recordings: data sets of recordings.

    Raises:
        InputError: a column is missing, or a smallest difference is none.
    """
    columns = [*CONDITION, "seed", "measure", "value", "unit", "noise_floor", "trained"]
    require(values, columns, "values")
    of_conditions = ("baseline", "without_sam", "matched", "regularised")
    require(conditions, [*CONDITION, *of_conditions], "conditions")
    names = names_in(values, smallest_differences)
    for (dataset, network), rows in values.groupby(["dataset", "network"], sort=False):
        here = (conditions["dataset"] == dataset) & (conditions["network"] == network)
        of_network = conditions[here].set_index("condition")
        without_sam = of_network["without_sam"].dropna().to_dict()
        unmatched = of_network.index[~of_network["matched"].astype(bool)]
        controls = of_network.index[of_network["regularised"].astype(bool)]
        for baseline, members in _by_baseline(of_network["baseline"]):
            own = rows[rows["condition"].isin(members)].pipe(_of_all)
            found = _of_network(own, (dataset, network, baseline), without_sam, names)
            yield replace(
                found,
                unmatched=tuple(name for name in members if name in unmatched),
                regularised=tuple(name for name in found.conditions if name in controls),
                data=RECORDINGS if dataset in recordings else IMAGES,
                models=_models(models, found),
            )


def _models(models: pd.DataFrame | None, network: Comparable) -> pd.DataFrame:
    """Return the rows of the networks that trained, of a network's conditions."""
    if models is None:
        return pd.DataFrame()
    here = (models["dataset"] == network.dataset) & (models["network"] == network.network)
    return models[here & models["condition"].isin(network.conditions) & models["trained"]]


def _of_all(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the measures that all networks have a row of."""
    runs = rows[["condition", "seed"]].drop_duplicates()
    return rows[rows.groupby("measure")["value"].transform("size") == len(runs)]


def _of_network(
    rows: pd.DataFrame,
    place: tuple[str, str, str],
    without_sam: Mapping[str, str],
    names: Mapping[str, MeasureName],
) -> Comparable:
    judged = rows[rows["trained"]]
    untrained = rows.loc[~rows["trained"], ["condition", "seed"]].drop_duplicates()
    order = tuple(judged["condition"].unique())
    seeds = judged.groupby(["condition", "measure"])["value"]
    counts = seeds.count()[lambda found: found > 0]
    return Comparable(
        *place,
        order,
        {a: b for a, b in without_sam.items() if a in order and b in order},
        seeds.mean().unstack().reindex(order),
        seeds.sem().unstack().reindex(order),
        dict(_paired(judged, names)),
        names,
        (int(counts.min()), int(counts.max())) if len(counts) else (0, 0),
        "paired t over seeds",
        left_out=len(untrained),
        floors=judged.groupby(["condition", "measure"])["noise_floor"].mean().unstack(),
    )


def published_networks(published: pd.DataFrame) -> Iterator[Comparable]:
    """Yield what each paper gives of each network, from rows of `published.published_values`.

    Values of single seeds are not published, so differences are of two means, with Welch's errors
    and degrees of freedom; pairs of matched seeds would have smaller errors. The errors are those
    of `published.published_errors`. The prediction disagreement gets the largest error that shared
    seeds can lead to, since the published one takes pairs of seeds as independent. Values in doubt
    are left out. A paper's tables may have fewer values for some networks.
    """
    names = {metric: describe(metric) for metric in published["metric"].unique()}
    keys = ["source", "dataset", "architecture"]
    conditions = published.groupby("source")["published_condition"].unique()
    for (source, dataset, network), rows in published.groupby(keys, sort=False):
        certain = rows[~rows["uncertain"]]
        estimates = {
            (row["metric"], row["published_condition"]): _published(row)
            for row in certain.to_dict("records")
        }
        order = tuple(conditions[source])
        table = certain.pivot(index="published_condition", columns="metric", values="mean")
        errors = pd.Series({key[::-1]: error for key, (_, error, _) in estimates.items()})
        yield Comparable(
            dataset,
            network,
            PUBLISHED_BASELINE,
            order,
            {
                name: name.removesuffix(SAM)
                for name in order
                if name.endswith(SAM) and name.removesuffix(SAM) in order
            },
            table.reindex(order),
            errors.unstack().reindex(order) if len(errors) else table.reindex(order),
            {
                (metric, first, second): welch(
                    found, estimates[metric, second], names[metric].smallest_difference
                )
                for (metric, first), found in estimates.items()
                for second in order
                if second != first and (metric, second) in estimates
            },
            names,
            (int(rows["n_seeds"].min()), int(rows["n_seeds"].max())),
            "Welch's t of published means and standard errors",
            source,
            len(rows) - len(certain),
            regularised=tuple(name for name in order if name != PUBLISHED_BASELINE),
        )


def _published(row: Mapping[str, object]) -> Estimate:
    seeds = row["n_seeds"]
    error, deviation = published_errors(row)
    if row["metric"] == DISAGREEMENT:
        # If each model adds its own share to all its pairs: Var(mean) = 2 Var(pair) / seeds.
        error = math.hypot(deviation * math.sqrt(2 / seeds), row["rounding"])
    return Estimate(row["mean"], error, seeds - 1)


def _by_baseline(baselines: pd.Series) -> Iterator[tuple[str, list[str]]]:
    """Yield each baseline with the conditions that are compared with it, itself first.

    A baseline of others is not compared with another baseline.
    """
    # A column without any name is read as one of numbers.
    named = list(baselines.dropna().unique())
    if not named:
        yield "", list(baselines.index)
    for baseline in named:
        others = baselines.index[baselines == baseline]
        yield baseline, [baseline, *(name for name in others if name not in named)]


def _paired(
    rows: pd.DataFrame, names: Mapping[str, MeasureName]
) -> Iterator[tuple[Pair, Difference]]:
    for measure, group in rows.groupby("measure", sort=False):
        seeds = group.pivot(index="seed", columns="condition", values="value")
        floors = group.groupby("condition")["noise_floor"].mean()
        for reference in seeds:
            smallest = names[measure].smallest_difference
            for condition, found in differences_from(reference, seeds, floors, smallest):
                if found.estimate.df >= 0:
                    yield (measure, condition, reference), found
