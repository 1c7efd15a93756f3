"""Put the tables of docs/reruns.md into it: what the schema says of each key, and the rules.

The text around them stands in the document itself.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from configuration_keys import Key, configuration_keys
from minimascope.files import write_text
from planning import plan

DOCUMENT = Path(__file__).parents[1] / "docs" / "reruns.md"
# It has a job of every rule: all families, official archives, generated recordings, a network that
# is in print, and several seeds.
EVERY_RULE = """
study: every_rule
seeds: [0, 1]
datasets:
  images: {source: cifar10, corrupted: cifar10_c, networks: [resnet18]}
  recordings: {source: synthetic_scenes, networks: [cnn10]}
networks:
  resnet18: {architecture: resnet18}
  cnn10: {architecture: cnn10}
training: {epochs: 1, batch_size: 2, optimizer: {name: sgd, lr: 0.1}}
conditions: {baseline: {}}
sharpness:
  hessian: {}
  landscape: {}
  interpolation: {lines: [[initial, baseline]]}
toy_fits: {}
"""


def following() -> Mapping[str, frozenset[str]]:
    """Return for each rule of the workflow, in the order of their jobs, all that depend on it."""
    with TemporaryDirectory() as folder:
        study = Path(folder, "study.yaml")
        study.write_text(EVERY_RULE, encoding="utf-8")
        return plan(study, Path(folder)).following


def table_of_keys() -> list[str]:
    """Return a table with the rules that each key concerns first."""
    keys = [key for key in configuration_keys() if not key.is_section or key.same_as]
    return ["| key | runs again |", "|---|---|", *map(_row, keys)]


def _row(key: Key) -> str:
    rules = f"as `{key.same_as}`" if key.same_as else _names(key.reruns)
    return f"| `{key.path}` | {rules or 'nothing'} |"


def table_of_rules(following: Mapping[str, frozenset[str]]) -> list[str]:
    """Return a table with all rules that depend on each rule."""
    rows = [
        f"| `{rule}` | {_names(name for name in following if name in rules)} |"
        for rule, rules in following.items()
    ]
    return ["| rule | and then |", "|---|---|", *rows]


def _names(rules: Iterable[str]) -> str:
    return ", ".join(f"`{rule}`" for rule in rules)


def renewed(text: str, name: str, table: list[str]) -> str:
    """Return the text with another table between the two comments of this name."""
    pattern = rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- end of {name} -->)"
    found = re.search(pattern, text, flags=re.DOTALL)
    body = "\n".join(table)
    return f"{text[: found.end(1)]}\n{body}\n\n{text[found.start(3) :]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path, nargs="?", default=DOCUMENT)
    document = parser.parse_args().document
    text = document.read_text(encoding="utf-8")
    text = renewed(text, "keys", table_of_keys())
    text = renewed(text, "rules", table_of_rules(following()))
    write_text(document, text)


if __name__ == "__main__":
    main()
