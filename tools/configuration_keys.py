"""Every key that a study can have, in the order of the schema, for docs/configuration.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minimascope.study.config import load_schema, resolve_reference

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"
# Sections with the keys of another one: listed once, under that one.
SAME_AS = {
    "datasets.<name>.training": "training",
    "datasets.<name>.conditions.<name>": "training",
    "datasets.<name>.sharpness": "sharpness",
    "conditions.<name>": "training",
}


@dataclass(frozen=True)
class Key:
    """A key of the configuration.

    Attributes:
        path: its path, with ``<name>`` where a study has a name of its choice.
        schema: what it may be; empty where only ``same_as`` is known.
        same_as: the section whose keys it has.
    """

    path: str
    schema: Mapping[str, Any]
    same_as: str | None


def configuration_keys() -> list[Key]:
    """Return all keys."""
    schema = load_schema(SCHEMA)
    return list(_below(schema, schema, ""))


def _below(section: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[Key]:
    for name, child in section.get("properties", {}).items():
        target = {**resolve_reference(child, root), **child}
        key = f"{path}{name}"
        yield Key(key, target, SAME_AS.get(key))
        if key not in SAME_AS:
            yield from _below(target, root, f"{key}.")
    if isinstance(items := section.get("additionalProperties"), Mapping) and "$ref" in items:
        key = f"{path}<name>"
        target = resolve_reference(items, root)
        if key in SAME_AS:
            yield Key(key, {}, SAME_AS[key])
        else:
            yield from _below(target, root, f"{key}.")
