"""Data sets of the same recordings that differ in the domains of training. No torch is imported."""

from typing import TYPE_CHECKING

from ..canonical import canonical_json

if TYPE_CHECKING:
    from .study import Study

# Keys in which a data set and its reference may differ; trainings and settings of sharpness count
# as they are resolved.
MAY_DIFFER = (
    *("train_domains", "networks", "corrupted", "published_as"),
    *("training", "conditions", "sharpness"),
)


def references(study: "Study") -> dict[str, str]:
    """Return, for data sets that are others with fewer domains in training, these others.

    A reference is trained on all domains, or on all of the data set's own and further ones. In
    everything else both are alike: source, features, classes, samples, trainings and settings of
    sharpness. Of several it is the one with the most domains, and of these the first.
    """
    found = {}
    for dataset in study.with_domains:
        own = _domains(study, dataset)
        if own is None:
            continue
        larger = [
            other
            for other in study.with_domains
            if _has_more(_domains(study, other), own)
            and _rest(study, other) == _rest(study, dataset)
        ]
        if larger:
            found[dataset] = max(larger, key=lambda other: _count(study, other))
    return found


def _domains(study: "Study", dataset: str) -> set[str] | None:
    """Return the domains that training is said to have; None for all."""
    domains = study.config["datasets"][dataset]["train_domains"]
    return None if domains is None else {*map(str, domains)}


def _has_more(domains: set[str] | None, own: set[str]) -> bool:
    return domains is None or domains > own


def _count(study: "Study", dataset: str) -> float:
    domains = _domains(study, dataset)
    return float("inf") if domains is None else len(domains)


def _rest(study: "Study", dataset: str) -> str:
    """Return in canonical form what a data set has in common with its reference."""
    spec = study.config["datasets"][dataset]
    plain = {key: spec[key] for key in spec if key not in MAY_DIFFER}
    trainings = {name: study.training[dataset, name] for name in study.conditions}
    return canonical_json([plain, trainings, study.sharpness[dataset]])
