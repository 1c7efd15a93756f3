"""Conditions whose networks were trained elsewhere: what a study may say of them.

Of their training it says no more than what measures need to know. No torch is imported here.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..errors import InputError, nearest
from .schema import complete, definition

# What stands for names in a path.
WILDCARDS = ("dataset", "network", "seed")
WILDCARD = re.compile(r"\{([^{}]*)\}")
# What measures need to know of a training: how it augmented, and its weight decay.
KNOWN = {"augment": (), "optimizer": ("weight_decay",)}
KNOWN_IN_WORDS = "augment and optimizer.weight_decay"
# Keys with paths of files.
FILES = ("checkpoint", "initial")

Settings = Mapping[str, Any]


def is_adopted(settings: Settings) -> bool:
    """Return whether the networks of a condition were trained elsewhere."""
    return "checkpoint" in settings


def adopted_conditions(config: Settings) -> list[str]:
    """Return the names of the conditions of a study whose networks were trained elsewhere."""
    return [name for name, settings in config["conditions"].items() if is_adopted(settings)]


def check_keys(config: Settings, schema: Settings) -> None:
    """Refuse keys of trainings in adopted conditions, and those of adopted ones in others.

    Raises:
        InputError: names the key.
    """
    own, adopted = schema["$defs"]["adopted"]["properties"], set(adopted_conditions(config))
    for where, condition, settings in _all_settings(config):
        if condition not in adopted:
            if wrong := sorted(own.keys() & settings.keys()):
                raise InputError(
                    f"{where}.{wrong[0]}: is for networks that were trained elsewhere; leave it"
                    f" out, or name their files as conditions.{condition}.checkpoint"
                )
            continue
        unknown = [key for key in settings if key not in own and key not in KNOWN]
        for key, names in KNOWN.items():
            inner = settings.get(key) if names else None
            unknown += [f"{key}.{name}" for name in inner or () if name not in names]
        if unknown:
            raise InputError(
                f"{where}.{unknown[0]}: nothing is trained here; of that training measures use"
                f" {KNOWN_IN_WORDS} alone; leave it out"
            )


def _all_settings(config: Settings) -> Iterator[tuple[str, str, Settings]]:
    """Yield the path, the condition and the settings of each place that has any of a condition."""
    for condition, settings in config["conditions"].items():
        yield f"conditions.{condition}", condition, settings
    for dataset, spec in config["datasets"].items():
        for condition, settings in spec["conditions"].items():
            yield f"datasets.{dataset}.conditions.{condition}", condition, settings


def adopted_spec(settings: Settings, schema: Settings) -> dict[str, Any]:
    """Return where the networks of a condition are and how to read them, defaults filled in."""
    own = definition(schema, "adopted")
    given = {key: settings[key] for key in own["properties"] if key in settings}
    found = {"normalize": None, **complete(given, own, schema)}
    names = found["classes"]
    return found | {"classes": None if names is None else [*map(str, names)]}


def known_training(settings: Settings, schema: Settings) -> dict[str, Any]:
    """Return what a study knows of the training of an adopted condition, None for the rest.

    Labels count as the data set's own: which of them were others is never known.
    """
    training = schema["$defs"]["training"]
    given = complete({"augment": settings.get("augment")}, training, schema)
    decay = (settings.get("optimizer") or {}).get("weight_decay")
    unknown = dict.fromkeys(training["properties"])
    return unknown | {
        "augment": given["augment"],
        "label_noise": 0.0,
        "optimizer": {"name": None, "lr": None, "weight_decay": decay},
    }


def filled(path: str, values: Mapping[str, Any]) -> str:
    """Return a path with the values of `WILDCARDS` in their place."""
    return WILDCARD.sub(lambda found: str(values[found[1]]), path)


def check_adopted(where: str, spec: Settings, seeds: Collection[int]) -> None:
    """Refuse paths with unknown wildcards or of one file for all seeds, and half a match.

    Args:
        where: path of the condition in the study.
        spec: result of `adopted_spec`.
        seeds: of the study.
    """
    if spec["matched"] != (spec["initial"] is not None):
        missing, there = ("initial", "matched") if spec["matched"] else ("matched", "initial")
        needed = "the file that its training started from" if missing == "initial" else "true"
        raise InputError(
            f"{where}.{there}: does nothing without {missing}: {needed}; add it, or leave"
            f" {there} out"
        )
    for key in FILES:
        path = spec[key] or ""
        for name in WILDCARD.findall(path):
            if name not in WILDCARDS:
                known = [f"{{{each}}}" for each in WILDCARDS]
                raise InputError(
                    f"{where}.{key}: {{{name}}} stands for nothing; {nearest(f'{{{name}}}', known)}"
                )
        if path and len(seeds) > 1 and "{seed}" not in path:
            raise InputError(
                f"{where}.{key}: one file for {len(seeds)} seeds would count one network"
                f" {len(seeds)} times; put {{seed}} into the path, or give the study one seed"
            )
