"""Which key of a study gives a training a setting, for messages. No torch is imported here."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .study import Study

ABSENT = object()


def own_key(condition: str, sweeps: Mapping[str, str]) -> str:
    """Return the key of the settings that a condition alone has.

    Args:
        condition: its name.
        sweeps: for each cell of a sweep the name of that.
    """
    if condition in sweeps:
        return f"sweeps.{sweeps[condition]}.axes.training"
    return f"conditions.{condition}"


def key_of(study: "Study", dataset: str, condition: str, path: str, *beside: str) -> str:
    """Return the key of the last level of settings that gives a training a setting.

    Args:
        study: with its levels of settings (`Study.training`).
        dataset: of the training.
        condition: of the training; of a cell of a sweep it is an axis that gives what that varies.
        path: of the setting, such as ``schedule.warmup``.
        *beside: paths of others that make it a fault. The last level that gives one of them is
            where the fault begins, and where it can be mended for no other training.
    """
    for name, settings in _levels(study, dataset, condition):
        given = [each for each in (path, *beside) if _has(settings, each)]
        if given:
            # A sweep has no other keys than its axes.
            return f"{name}.{given[0] if settings is study.swept[condition] else path}"
    above, _, last = path.rpartition(".")
    # A default is of the section that it stands in.
    return f"{key_of(study, dataset, condition, above)}.{last}" if above else f"training.{path}"


def _levels(
    study: "Study", dataset: str, condition: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the key and the settings of each level of a training, from the last one on."""
    config, base = study.config, study.base_conditions[condition]
    of_data = config["datasets"][dataset]
    yield own_key(condition, study.sweep_of), study.swept[condition]
    yield f"datasets.{dataset}.conditions.{base}", of_data["conditions"].get(base, {})
    yield f"conditions.{base}", config["conditions"][base]
    yield f"datasets.{dataset}.training", of_data["training"]
    yield "training", config["training"]


def _has(settings: Mapping[str, Any], path: str) -> bool:
    def below(level: Any, key: str) -> Any:
        return level.get(key, ABSENT) if isinstance(level, Mapping) else ABSENT

    return reduce(below, path.split("."), settings) is not ABSENT
