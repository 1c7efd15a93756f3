"""Pairs of trained networks that differ in one setting alone, their seed being the same.

Settings of a condition are what sweeps vary, and its base condition, which is a setting of its own:
two conditions of a study without a sweep are such a pair. What one pair of settings makes of all
seeds is an environment (Dziugaite et al. 2020).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

BASE = "base_condition"
# Columns of the table of conditions that are no setting of the training.
ABOUT = frozenset(
    {
        *("dataset", "network", "condition", BASE, "baseline", "without_sam", "published_dataset"),
        *("architecture", "pretrained", "like_base_condition", "adopted", "matched"),
        *("regularised", "start_dataset", "start_condition"),
    }
)
# Between the names of settings that change together.
TOGETHER = " + "


@dataclass(frozen=True)
class Pairs:
    """Pairs of networks, of which each has the same seed; all arrays are [pair].

    Attributes:
        first: place of one network in the table of models.
        second: that of the other.
        axis: name of the one setting in which they differ.
        environment: number of the pair of conditions.
        line: number of what else is the same: the axis, all other settings and the seed.
        seed: of both.
    """

    first: np.ndarray
    second: np.ndarray
    axis: np.ndarray
    environment: np.ndarray
    line: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def settings_of(conditions: pd.DataFrame) -> pd.DataFrame:
    """Return of each condition of a network what sweeps vary, as numbers of levels.

    A setting is varied by a sweep if two cells of one base condition differ in it. Settings that
    change together in all conditions are one.

    Args:
        conditions: rows of `model_table.conditions_table` of one network on one data set.

    Returns:
        Index ``condition``, a column for each setting, ``base_condition`` first.
    """
    table = conditions.set_index("condition")
    levels = table.drop(columns=[name for name in ABOUT if name in table and name != BASE])
    levels = levels.apply(
        lambda column: pd.factorize(column.astype(object), use_na_sentinel=False)[0]
    )
    bases = table[BASE].to_numpy()
    swept = [
        name
        for name in levels.columns.drop(BASE)
        if levels.groupby(bases)[name].nunique().max() > 1
    ]
    # Equal levels in order of appearance mean that they change together.
    together: dict[bytes, list[str]] = {}
    for name in swept:
        together.setdefault(levels[name].to_numpy().tobytes(), []).append(name)
    return levels[[BASE]].assign(
        **{TOGETHER.join(names): levels[names[0]] for names in together.values()}
    )


def pairs_of(models: pd.DataFrame, settings: pd.DataFrame) -> Pairs:
    """Return the pairs of networks of one seed that differ in one setting alone.

    Args:
        models: ``condition`` and ``seed`` of each.
        settings: of `settings_of`.
    """
    codes = settings.loc[models["condition"]].to_numpy()
    conditions = pd.factorize(models["condition"])[0]
    seeds = models["seed"].to_numpy()
    first, second = np.triu_indices(len(models), 1)
    same = seeds[first] == seeds[second]
    first, second = first[same], second[same]
    differs = codes[first] != codes[second]
    one = differs.sum(axis=1) == 1
    first, second, differs = first[one], second[one], differs[one]
    axis = differs.argmax(axis=1)
    rest = np.where(differs, -1, codes[first])
    ends = np.sort(np.column_stack([conditions[first], conditions[second]]), axis=1)
    names = np.array(settings.columns, dtype=object)
    return Pairs(
        first,
        second,
        names[axis],
        _numbered(ends),
        _numbered(np.column_stack([axis, rest, pd.factorize(seeds[first])[0]])),
        seeds[first],
    )


def _numbered(rows: np.ndarray) -> np.ndarray:
    """Return a number for each row, the same for equal ones."""
    if not len(rows):
        return np.empty(0, dtype=int)
    return np.unique(rows, axis=0, return_inverse=True)[1].ravel()
