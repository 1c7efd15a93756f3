"""Ensembles over networks: one of each kind, of the same seed and condition, predict together.

Beside them: ensembles of as many seeds of one network, which show what comes of the number of
members alone, and the members. All of them are made of the same models.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from ..data.corruptions.copies import CorruptedCopies
from ..devices import precision
from .corrupted_ensembles import corrupted_hits
from .ensembles import AND, MEASURES, RESAMPLES, difference_error, ensemble_of, score
from .predictions import Predictions, check_same_samples
from .robustness import mean_corruption_accuracy


@dataclass(frozen=True)
class Design:
    """Which models predict together; model network · seeds + seed is that of a network and a seed.

    Attributes:
        networks: their number.
        seeds: of each of them.
    """

    networks: int
    seeds: int

    @property
    def over_networks(self) -> list[list[int]]:
        """For each seed the models of all networks."""
        models = range(self.networks * self.seeds)
        return [list(models[seed :: self.seeds]) for seed in range(self.seeds)]

    @property
    def of_one_network(self) -> list[list[int]]:
        """For each network the ensembles of as many of its seeds as there are networks.

        They begin with each seed in turn and go on with the following ones, the first after the
        last: so each model is in as many of them as any other. Where there are as many seeds as
        networks, that is one ensemble; where there are fewer, none.
        """
        if self.seeds < self.networks:
            return []
        starts = range(self.seeds if self.seeds > self.networks else 1)
        return [
            [network * self.seeds + (start + step) % self.seeds for step in range(self.networks)]
            for network in range(self.networks)
            for start in starts
        ]

    @property
    def ensembles(self) -> list[list[int]]:
        """All of them, those over networks first."""
        return self.over_networks + self.of_one_network


def network_ensembles(
    names: Sequence[str],
    predictions: Sequence[Predictions],
    models: Sequence[nn.Module],
    copies: Iterable[CorruptedCopies],
    bins: int,
    device: torch.device,
) -> dict[str, Any]:
    """Return the ensembles of a data set and condition: a row for each measure.

    What there is not, such as an ensemble of more seeds of a network than it has, is None.

    Args:
        names: of the networks, in their order.
        predictions: of all models on the test split, those of a network one after the other.
        models: the same, on the device; none where there are no copies.
        copies: corrupted copies of the test split.
        bins: of the expected calibration error.
        device: where to compute.

    Raises:
        InputError: the models are not about the same samples.
    """
    check_same_samples(predictions)
    first, design = predictions[0], Design(len(names), len(predictions) // len(names))
    together = [ensemble_of([predictions[i] for i in group]) for group in design.ensembles]
    origin = {key: first.run[key] for key in ("dataset", "condition")}
    origin |= {"networks": AND.join(names), "members": design.networks, "seeds": design.seeds}
    rows = []
    for measure, (unit, higher_is_better) in MEASURES.items():
        start = time.perf_counter()
        scores = [score(measure, model, bins) for model in (*together, *predictions)]
        values, parts = map(np.stack, zip(*scores, strict=True))
        row = compared(design, values, parts, names, higher_is_better)
        named = {"view": first.view, "measure": measure, "unit": unit}
        rows.append(origin | named | row | {"seconds": time.perf_counter() - start})
    if models:
        start = time.perf_counter()
        with precision("fp32", device):
            shares, corrupted = corrupted_hits(models, copies, device, design.ensembles)
        named = mean_corruption_accuracy(corrupted[0])
        row = compared(design, 100 * shares.mean(1), 100 * shares[..., None], names, True)
        named = {"view": "clean", "measure": named.measure, "unit": named.unit}
        rows.append(origin | named | row | {"seconds": time.perf_counter() - start})
    # JSON has no NaN.
    rows = [
        {name: None if value != value else value for name, value in row.items()} for row in rows
    ]
    return {"rows": rows}


def compared(
    design: Design,
    values: np.ndarray,
    parts: np.ndarray,
    names: Sequence[str],
    higher_is_better: bool,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Return ensembles over networks, their members and ensembles of one network, as columns.

    A gain is that over the mean member, an advantage that over the mean ensemble of one network;
    both are positive where the ensembles over networks are better. Their errors are those of test
    samples (`ensembles.difference_error`), the models being what they are.

    Args:
        design: which models predict together.
        values: of all ensembles and then of all models, [ensembles + models].
        parts: what the values are made of, [ensembles + models, n, k] (see `ensembles.score`).
        names: of the networks.
        higher_is_better: whether larger values are better.
        resamples: of the bootstrap.
    """
    ends = np.cumsum([len(design.over_networks), len(design.of_one_network)])
    over, of_one, members = np.split(values, ends)
    sign = 1 if higher_is_better else -1

    def beyond(first: int, last: int | None) -> dict[str, float]:
        if first == last:
            return dict.fromkeys(("value", "error"), float("nan"))

        def difference(found: np.ndarray) -> np.ndarray:
            return found[:, : ends[0]].mean(axis=1) - found[:, first:last].mean(axis=1)

        value = sign * float(difference(values[None])[0])
        return {"value": value, "error": difference_error(parts, difference, resamples)}

    gain, advantage = beyond(ends[1], None), beyond(ends[0], ends[1])
    return {
        "protocol": "corrected",
        "n": parts.shape[1],
        "ensemble": float(over.mean()),
        "ensemble_error": float(stats.sem(over)) if design.seeds > 1 else float("nan"),
        "members_mean": float(members.mean()),
        **_best("member", members, names, sign),
        "gain": gain["value"],
        "gain_error": gain["error"],
        "one_network": float(of_one.mean()) if len(of_one) else float("nan"),
        **_best("ensemble", of_one, names, sign),
        "advantage": advantage["value"],
        "advantage_error": advantage["error"],
    }


def _best(what: str, values: np.ndarray, names: Sequence[str], sign: int) -> dict[str, Any]:
    """Return the network whose members or ensembles are best on average, with that average."""
    if not len(values):
        return {f"best_{what}s": float("nan"), f"best_{what}s_network": ""}
    means = values.reshape(len(names), -1).mean(axis=1)
    best = int((sign * means).argmax())
    return {f"best_{what}s": float(means[best]), f"best_{what}s_network": names[best]}
