"""Print docs/configuration.md, made from the schema of the configuration."""

import argparse
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from configuration_keys import Key, configuration_keys

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
that it uses and on nothing else: [reruns.md](reruns.md) says what runs again when it changes.

| key | values | default | meaning |
|---|---|---|---|
"""


def row(key: Key) -> str:
    """Return the table row of a key."""
    if not key.schema:
        return f"| `{key.path}` | as `{key.same_as}` | | |"
    schema = key.schema
    default = "" if schema.get("default", {}) == {} else f"`{json.dumps(schema['default'])}`"
    meaning = escape(schema["description"], quote=False)
    return f"| `{key.path}` | {_values(schema)} | {default} | {meaning} |"


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
    print(HEAD + "\n".join(map(row, configuration_keys())))


if __name__ == "__main__":
    main()
