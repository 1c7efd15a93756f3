"""The text of a study: read as data, and refused where another reader would guess.

Snakemake reads a study, too, and more freely: it keeps the last of two equal keys, and runs the
Python expressions of a file that says ``__use_yte__: true``. Reading it here first is safe.
"""

import re
from collections.abc import Mapping
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError
from .schema import path_text

LARGEST_FILE = 2**18
# More than any study has, little enough to be checked in seconds.
MOST_VALUES = 20_000
MOST_LEVELS = 20
# Every whole number up to here is exact as a float, too.
LARGEST_NUMBER = 2**53
# What YAML takes an empty value for.
EMPTY = "tag:yaml.org,2002:null"
NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
# Such as 010, which is 8, and 1:30, which is 90.
READ_OTHERWISE = re.compile(r"[-+]?(0[0-7_]+$|\d[\d_]*:)")
TEMPLATE_KEY = "__use_yte__"


def read_study_file(path: str | PathLike) -> dict[str, Any]:
    """Return what a YAML file says, each key once and nothing in it run.

    Raises:
        InputError: no readable file of UTF-8 text, no YAML, no mapping, a key that is given twice,
            a tag of another language, a template, a number of base 8 or 60, or references that
            multiply; names the file
            and, where that is known, the line.
    """
    text = _text(Path(path))
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if isinstance(node, yaml.SequenceNode):
            raise InputError(
                f"{path}: holds a list; write its keys without dashes, from 'study: <name>' on"
            )
        if not isinstance(node, yaml.MappingNode):
            raise InputError(f"{path}: holds no keys; a study begins with 'study: <name>'")
        _check_node(node, path, {})
        return loader.construct_document(node)
    except InputError:
        raise
    except yaml.YAMLError as error:
        raise InputError(
            f"{path}: not YAML ({_cause(error)}); correct the indentation, quotes or brackets there"
        ) from error
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a study; take levels out") from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # What looks like a date or number to YAML, but is not a valid one.
        raise InputError(f"{path}: a value is not valid ({error}); put it in quotes") from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise InputError(f"{path}: larger than {LARGEST_FILE:,} bytes; no study is")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a study") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from error


def _check_node(node: yaml.Node, path: str | PathLike, sizes: dict[yaml.Node, int]) -> int:
    """Return the number of values below a node, each reference counted in full.

    A node that is being counted has size 0: who meets it again is inside of it.
    """
    if node in sizes:
        if sizes[node] == 0:
            raise InputError(f"{path}, {_line(node)}: contains itself; write it out")
        return sizes[node]
    sizes[node] = 0
    children = []
    if isinstance(node, yaml.ScalarNode):
        _check_number(node, path)
    if isinstance(node, yaml.MappingNode):
        _check_keys(node, path)
        children = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    sizes[node] = 1 + sum(_check_node(child, path, sizes) for child in children)
    if sizes[node] > 2 * MOST_VALUES:
        raise InputError(
            f"{path}, {_line(node)}: its references stand for more than {2 * MOST_VALUES:,} values;"
            " write out what is meant"
        )
    return sizes[node]


def _check_number(node: yaml.ScalarNode, path: str | PathLike) -> None:
    """Refuse numbers of base 8 and 60, which YAML 1.1 alone has and nobody means."""
    # Where it is a text in quotes, that is its tag.
    if node.tag in NUMBERS and READ_OTHERWISE.match(node.value):
        read = yaml.SafeLoader("").construct_object(node)
        raise InputError(
            f"{path}, {_line(node)}: {node.value} would be read as {read}; write {read} if that is"
            " meant, else a number without a colon in it or a zero before it"
        )


def _check_keys(node: yaml.MappingNode, path: str | PathLike) -> None:
    seen = set()
    # A reader keeps one of yes and on, or of 1 and 0x1, since they are the same value.
    value_of = yaml.SafeLoader("").construct_object
    for key, child in node.value:
        if isinstance(child, yaml.ScalarNode) and child.tag == EMPTY and not child.value:
            remedy = "write one ({} for a section that is all defaults), or remove the line"
            # No colon, either.
            if node.flow_style and child.start_mark.index == key.end_mark.index:
                remedy = "write [0, 1] for a list, and {key: value} for a mapping"
            raise InputError(f"{path}, {_line(key)}: {key.value} has no value; {remedy}")
        if key.value == TEMPLATE_KEY:
            raise InputError(
                f"{path}, {_line(key)}: {TEMPLATE_KEY} makes Snakemake run code in the file; write"
                " out what it computes"
            )
        # Keys that merge another mapping may be given more than once.
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            value = value_of(key)
            if value in seen:
                raise InputError(
                    f"{path}, {_line(key)}: the key {key.value!r} is given twice in one mapping;"
                    " remove one"
                )
            seen.add(value)


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _cause(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    if "'\\t'" in problem:
        problem = "a tab, where YAML wants spaces"
    return f"line {mark.line + 1}: {problem}" if mark else problem


def with_values_of(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which what ``snakemake --config`` was given has its types again.

    Snakemake reads numbers inside lists and mappings as text there.

    Args:
        config: the whole configuration.
        given: the part that was given in that way, as Snakemake read it.
    """
    return {**config, **{key: _read_again(config[key], given[key]) for key in given}}


def _read_again(value: Any, given: Any, inside: bool = False) -> Any:
    if isinstance(given, Mapping) and isinstance(value, Mapping):
        again = {key: _read_again(value[key], given[key], True) for key in given}
        return {**value, **again}
    if isinstance(given, list):
        return [_read_again(item, item, True) for item in given]
    return yaml.safe_load(given) if inside and isinstance(given, str) else value


def with_text_keys(value: Any) -> Any:
    """Return a copy of a value in which every key is text.

    YAML 1.1 reads a bare ``on`` as true; a study means the word.

    Raises:
        InputError: more levels or values than a study can have, such as YAML's references to
            itself make of a few lines, a number with more digits than any setting, or two keys that
            are the same text.
    """
    values = count()

    def copied(value: Any, path: tuple[str | int, ...]) -> Any:
        if next(values) == MOST_VALUES or len(path) > MOST_LEVELS:
            raise InputError(
                f"{path_text(path[:3])}: holds more than {MOST_VALUES:,} values or"
                f" {MOST_LEVELS} levels; a study has far fewer, so take out what repeats"
            )
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise InputError(f"{path_text(path)}: must be between ±{LARGEST_NUMBER}; lower it")
        if isinstance(value, list):
            return [copied(item, (*path, place)) for place, item in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        names: dict[str, Any] = {}
        for key in value:
            if (other := names.setdefault(_key_text(key), key)) is not key:
                raise InputError(
                    f"{path_text((*path, _key_text(key)))}: {other!r} and {key!r} are one name;"
                    " rename one"
                )
        return {name: copied(value[key], (*path, name)) for name, key in names.items()}

    return copied(value, ())


def _key_text(key: Any) -> str:
    return {"True": "on", "False": "off"}.get(str(key), str(key)) if type(key) is bool else str(key)
