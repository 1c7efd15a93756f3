"""Print docs/configuration.md, made from the schema of the configuration."""

import argparse
import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from minimascope.config import load_schema, resolve_reference

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"
HEAD = """# Configuration

<!-- Made by `make docs` from resources/config.schema.yaml; edit that file instead. -->

A study is one YAML file. `<name>` stands for a name of your choice. An unknown key, a wrong type
or an impossible value stops before any job with one line that names the path of the key.

`make` reads a study as data before Snakemake does, and refuses what Snakemake would guess at or
run: a key that stands twice, references that multiply, tags of a programming language, and
templates (`__use_yte__: true`, with which Snakemake runs Python that stands in the file). Whoever
calls `snakemake --configfile` with a stranger's study should run `make check STUDY=…` first.

A run is trained with the settings of `training`, over which those of its data set and then those
of its condition are laid, mapping by mapping. Each job depends on the part of the configuration
that it uses and on nothing else.

| key | values | default | meaning |
|---|---|---|---|
"""
# Sections with the keys of another one: listed once, under that one.
SAME_AS = {"datasets.<name>.training": "training", "conditions.<name>": "training"}


def rows(schema: Mapping[str, Any], root: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield a table row for each key of a section, and for those of the sections below it."""
    for key, child in schema.get("properties", {}).items():
        yield from _key_rows(f"{path}{key}", child, root)
    if isinstance(items := schema.get("additionalProperties"), Mapping) and "$ref" in items:
        section = f"{path}<name>"
        if section in SAME_AS:
            yield f"| `{section}` | as `{SAME_AS[section]}` | | |"
        else:
            yield from rows(resolve_reference(items, root), root, f"{section}.")


def _key_rows(path: str, child: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    target = {**resolve_reference(child, root), **child}
    default = "" if target.get("default", {}) == {} else f"`{json.dumps(target['default'])}`"
    cells = [f"`{path}`", _values(target), default, escape(target["description"], quote=False)]
    yield f"| {' | '.join(cells)} |"
    if path not in SAME_AS:
        yield from rows(target, root, f"{path}.")


def _values(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = schema.get("type", "")
    text = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    text = text.replace("object", "mapping").replace("array", "list")
    limits = {
        "minimum": "≥",
        "maximum": "≤",
        "exclusiveMinimum": ">",
        "exclusiveMaximum": "<",
    }
    bounds = [f"{sign} {schema[key]}" for key, sign in limits.items() if key in schema]
    return ", ".join([text, *bounds])


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    schema = load_schema(SCHEMA)
    print(HEAD + "\n".join(rows(schema, schema)))


if __name__ == "__main__":
    main()
