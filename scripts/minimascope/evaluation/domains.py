"""How right a classifier is in each domain (recording device, speaker) and in each city."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.prepared import Dataset
from ..measurement import Measurement
from .metrics import hits

Row = Mapping[str, Any]


def domain_rows(logits: np.ndarray, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the accuracy on the test samples of each domain and of each city.

    Args:
        logits: of the test split, [n, classes].
        dataset: what they are predictions of.

    Returns:
        Rows with ``kind`` (``domain`` or ``city``), ``name``, ``seen`` (None for a city),
        ``accuracy`` (a fraction) and ``n``; none where the data set knows neither.
    """
    right = hits(logits, dataset.test.labels.cpu().numpy())
    return [*_rows("domain", right, dataset), *_rows("city", right, dataset)]


def _rows(kind: str, right: np.ndarray, dataset: Dataset) -> Iterator[dict[str, Any]]:
    members = dataset.test.domains if kind == "domain" else dataset.test.cities
    if members is None:
        return
    members = members.cpu().numpy()
    names = dataset.domains if kind == "domain" else dataset.cities
    for index, name in enumerate(names):
        own = right[members == index]
        # A domain may be in the training split alone.
        if len(own):
            seen = dataset.seen[index] if kind == "domain" else None
            accuracy = float(own.mean())
            yield {"kind": kind, "name": name, "seen": seen, "accuracy": accuracy, "n": len(own)}


def measure_domains(rows: Sequence[Row]) -> list[Measurement]:
    """Return accuracy in-domain, out-of-domain and the gap between them.

    Each is the mean over domains, every domain counting the same whatever its number of samples
    (Milling et al. 2023, arXiv:2309.16369): seen domains, unseen domains, and their difference in
    percentage points. Standard errors are those of independent test samples.

    Args:
        rows: see `domain_rows`.

    Returns:
        Nothing unless there are both seen and unseen domains.
    """
    seen, unseen = (
        [row for row in rows if row["kind"] == "domain" and row["seen"] is wanted]
        for wanted in (True, False)
    )
    if not (seen and unseen):
        return []
    inside, outside = _mean("accuracy_in_domain", seen), _mean("accuracy_out_of_domain", unseen)
    gap = Measurement(
        "domain_gap",
        100 * (inside.value - outside.value),
        "percentage points",
        inside.n + outside.n,
        standard_error=100 * float(np.hypot(inside.standard_error, outside.standard_error)),
    )
    return [inside, outside, gap]


def _mean(measure: str, rows: Sequence[Row]) -> Measurement:
    accuracy, n = (np.array([row[key] for row in rows]) for key in ("accuracy", "n"))
    error = np.sqrt((accuracy * (1 - accuracy) / n).sum()) / len(rows)
    return Measurement(
        measure, float(accuracy.mean()), "fraction", int(n.sum()), standard_error=float(error)
    )
