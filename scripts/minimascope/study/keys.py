"""Which key of a study gives a training a setting, for messages. No torch is imported here."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .study import Study

ABSENT = object()


def key_of(study: "Study", dataset: str, condition: str, path: str, *beside: str) -> str:
    """Return the key of the last level of settings that gives a training a setting.

    Args:
        study: with its levels of settings (`Study.training`).
        dataset: of the training.
        condition: of the training; a cell of a sweep gives what the sweep varies.
        path: of the setting, such as ``schedule.warmup``.
        *beside: paths of others that make it a fault. The last level that gives one of them is
            where the fault begins, and where it can be mended for no other training.
    """
    for name, settings in _levels(study, dataset, condition):
        if any(_has(settings, each) for each in (path, *beside)):
            return f"{name}.{path}"
    above, _, last = path.rpartition(".")
    # A default is of the section that it stands in.
    return f"{key_of(study, dataset, condition, above)}.{last}" if above else f"training.{path}"


def _levels(
    study: "Study", dataset: str, condition: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the key and the settings of each level of a training, from the last one on."""
    config, base = study.config, study.base_conditions[condition]
    of_data = config["datasets"][dataset]
    yield f"conditions.{condition}", study.swept[condition]
    yield f"datasets.{dataset}.conditions.{base}", of_data["conditions"].get(base, {})
    yield f"conditions.{base}", config["conditions"][base]
    yield f"datasets.{dataset}.training", of_data["training"]
    yield "training", config["training"]


def _has(settings: Mapping[str, Any], path: str) -> bool:
    def below(level: Any, key: str) -> Any:
        return level.get(key, ABSENT) if isinstance(level, Mapping) else ABSENT

    return reduce(below, path.split("."), settings) is not ABSENT
