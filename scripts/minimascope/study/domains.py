"""Data sets of the same recordings that differ in the domains of training. No torch is imported."""

import math
from typing import TYPE_CHECKING

from ..canonical import canonical_json

if TYPE_CHECKING:
    from .study import Study


def references(study: "Study") -> dict[str, str]:
    """Return, for data sets that are others with fewer domains in training, these others.

    That is the one of the same recordings, and features, with the most domains in training: the
    first of several.
    """
    same: dict[str, list[str]] = {}
    for dataset in study.recordings:
        spec = study.source_spec(dataset), study.features_spec(dataset)
        same.setdefault(canonical_json(spec), []).append(dataset)
    found = {}
    for group in same.values():
        reference = max(group, key=lambda dataset: _count(study, dataset))
        found |= {dataset: reference for dataset in group if dataset != reference}
    return found


def _count(study: "Study", dataset: str) -> float:
    """Return the number of domains that training is said to have, endless for all."""
    domains = study.config["datasets"][dataset]["train_domains"]
    return math.inf if domains is None else len(domains)
