"""What each condition of a study is, as rows of a table. No torch is imported here."""

from collections.abc import Iterator, Mapping
from typing import Any

from .registry import PRETRAINED
from .study import Study


def condition_rows(study: Study) -> list[dict[str, Any]]:
    """Return a row for each data set, network and condition, in alphabetical order.

    Besides these three: ``control`` (the condition that a cell of a sweep varies, or the condition
    itself), what printed tables call data set and network (``printed_dataset``, ``architecture``,
    ``pretrained``), whether nothing but SAM's radius sets it apart from its control
    (``like_control``), whether it augments, and every resolved training setting by its path, such
    as ``sam.rho`` and ``optimizer.lr``, where a condition has it.
    """
    rows = []
    for dataset, network in sorted(study.pairs):
        architecture = study.network_spec(network)["architecture"]
        for condition, control in sorted(study.controls.items()):
            row = {
                "dataset": dataset,
                "network": network,
                "condition": condition,
                "control": control,
                "printed_dataset": study.printed_dataset(dataset),
                "architecture": architecture.removeprefix(PRETRAINED),
                "pretrained": architecture.startswith(PRETRAINED),
                "like_control": _alike(study, dataset, condition, control),
                "augmented": study.augmentation(dataset, condition) is not None,
            }
            rows.append(row | dict(_flat(study.training_spec(dataset, condition))))
    return rows


def _alike(study: Study, dataset: str, condition: str, control: str) -> bool:
    """Return whether a condition differs from its control in nothing but SAM's radius."""
    this, that = (
        {key: value for key, value in study.training_spec(dataset, name).items() if key != "sam"}
        for name in (condition, control)
    )
    return this == that


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None and not isinstance(value, list):
            yield prefix + key, value
