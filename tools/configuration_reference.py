"""Print docs/configuration.md, made from the schema of the configuration."""

import argparse
import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from minimascope.registry import LIBRARIES
from minimascope.study.schema import in_yaml, load_schema, resolved

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"
# Sections with the keys of another one: listed once, under that one.
SAME_AS = {
    "datasets.<name>.training": "training",
    "datasets.<name>.conditions.<name>": "conditions.<name>",
    "datasets.<name>.sharpness": "sharpness",
    "conditions.<name>": "training",
    "datasets.<name>.unseen.<name>": "datasets.<name>.shifted.<name>",
}
# Where the options of a component are listed already.
SAME_OPTIONS = {"datasets.<name>.shifted.<name>.": "datasets.<name>"}
# What they have besides these, in a part of the schema.
BESIDES = {"conditions.<name>": "adopted"}
LIMITS = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
HEAD = """# Configuration

<!-- Made by `make docs` from resources/config.schema.yaml; edit that file instead. -->

A study is one YAML file. `<name>` stands for a name of your choice. An unknown key, a wrong type
or an impossible value stops the run before its first job, with one line that names the key.

`make` reads a study as data before Snakemake does. It refuses what Snakemake would guess at or
run: a key given twice, references that multiply, tags of a programming language, and templates
(`__use_yte__: true`, with which Snakemake runs Python from the file). Before you call
`snakemake --configfile` with a stranger's study, run `make check STUDY=…`. It also says whether the
study has code of its own (`parts`, [parts.md](parts.md)), which the jobs would run.

With plain Snakemake, `--config 'seeds=[0]' 'training={epochs: 2}'` changes these keys and keeps
the others of a mapping. Snakemake merges several files given to `--configfile` into one study,
mapping by mapping; later files win. `make` takes one file.

Options of a source, an architecture, an optimiser or an average are listed after it: `noise of
circles` is a key of a data set whose source is circles. Keys without a default must be given,
except sections that a study may leave out. Writing out a default changes nothing.

A condition with a `checkpoint` takes networks that were trained elsewhere
([any-network.md](any-network.md#a-checkpoint-as-a-condition)); its keys are listed below
`conditions.<name>`.

A network is trained with the settings of `training`, changed by those of its data set and then by
those of its condition, mapping by mapping. Each job depends only on the part of the configuration
that it uses: [reruns.md](reruns.md) says what runs again after a change.

| key | values | default | meaning |
|---|---|---|---|
"""


def rows(section: Mapping[str, Any], root: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the table rows of all keys below a section, in the order of the schema."""
    for name, child in section.get("properties", {}).items():
        yield from _row(f"{path}{name}", child, root)
    options = section.get("options", {})
    if path in SAME_OPTIONS:
        (chooser,) = options
        yield f"| `{path}<option>` of a {chooser} | as `{SAME_OPTIONS[path]}.<option>` | | |"
        options = {}
    # Components of equal options share a row.
    owners: dict[str, list[str]] = {}
    for components in options.values():
        for component, options in components.items():
            for name, child in options.items():
                owners.setdefault(json.dumps([name, child]), []).append(f"`{component}`")
    for option, components in owners.items():
        name, child = json.loads(option)
        yield from _row(f"{path}{name}", child, root, f" of {', '.join(components)}")
    if isinstance(items := section.get("additionalProperties"), Mapping) and "$ref" in items:
        key = f"{path}<name>"
        if key in SAME_AS:
            yield f"| `{key}` | as `{SAME_AS[key]}` | | |"
            yield from rows(root["$defs"].get(BESIDES.get(key), {}), root, f"{key}.")
        else:
            yield from rows(resolved(items, root), root, f"{key}.")


def _row(
    key: str, schema: Mapping[str, Any], root: Mapping[str, Any], of: str = ""
) -> Iterator[str]:
    schema = resolved(schema, root)
    default = f"`{in_yaml(schema['default'])}`" if "default" in schema else ""
    meaning = escape(schema["description"], quote=False)
    yield f"| `{key}`{of} | {_values(schema)} | {default} | {meaning} |"
    if key not in SAME_AS:
        yield from rows(schema, root, f"{key}.")


def _values(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        names = [in_yaml(value) for value in schema["enum"]]
        names += [f"{library}:<name>" for library in LIBRARIES] if schema.get("libraries") else []
        return ", ".join(f"`{name}`" for name in names)
    kinds = schema.get("type", "")
    text = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    text = text.replace("object", "mapping").replace("array", "list")
    bounds = [f"{sign} {schema[key]}" for key, sign in LIMITS.items() if key in schema]
    return ", ".join([text, *bounds])


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    schema = load_schema(SCHEMA)
    print(HEAD + "\n".join(rows(schema, schema)))


if __name__ == "__main__":
    main()
