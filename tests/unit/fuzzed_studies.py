"""Studies to throw at the workflow: valid ones, and what becomes of these in careless hands."""

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from hypothesis import strategies as st
from study_cases import BASE, ROOT, ROOT_SCHEMA

from minimascope.study.schema import component_of, options_of, resolved

SHIPPED = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted([ROOT / "config.yaml", *(ROOT / "studies").glob("*.yaml")])
}
# What is relative to its study's file is as absolute, wherever the study is written to.
SHIPPED["own_parts"]["parts"] = str(ROOT / "studies" / "own_parts.py")
NAMES = ("a", "small", "large", "resnet", "vgg", "baseline", "sam", "initial", "x1", "A_b")
HOSTILE_WORDS = r"""
a/b ../../etc/passwd /etc/x C:\x ~ .. {x} {seed} {{ } { * ? [a] %s a;b -rf $(id) `id` =1+1 @x +1
<script> &amp; | \ _ % # ' " é 😀 ﬁ on null nan 1e-3 1_000 0x10 None True __class__ names $ref
training. training.optimizer.lr training.. training.optimizer initial all
"""
HOSTILE_TEXT = (
    *HOSTILE_WORDS.split(),
    *("", " ", "\n", "a\n", "a b", "; id", "\x00", "\x1b[2J", "\u202eabc", "\ud800", "\ufeff"),
    *("a" * 30, "ab" * 25, "a1" * 200, "x" * 5000),
)
HOSTILE_NUMBERS = (
    *(0, -0.0, -1, 1, 2, 3, 0.5, 2.0, 1e-320, 1e-12, 1e308, -1e308, 10**20, 2**31, 2**63, -(2**63)),
    *(10**400, math.nan, math.inf, -math.inf, True, False),
)
scalars = st.one_of(
    st.none(),
    st.sampled_from(HOSTILE_NUMBERS),
    st.sampled_from(HOSTILE_TEXT),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=8),
)
keys = st.one_of(
    st.sampled_from(HOSTILE_TEXT),
    st.sampled_from(NAMES),
    st.sampled_from([None, True, False, 0, 1.5, math.nan]),
    st.sampled_from(sorted(ROOT_SCHEMA["properties"])),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


_strategies: dict[int, st.SearchStrategy] = {}


def of_schema(schema: Mapping[str, Any]) -> st.SearchStrategy:
    """Return a strategy for what a section of the schema accepts, built once for each section."""
    return _strategies.setdefault(id(schema), _of_schema(schema))


@st.composite
def _of_schema(draw: st.DrawFn, schema: Mapping[str, Any]) -> Any:
    schema = resolved(schema, ROOT_SCHEMA)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else draw(st.sampled_from(kinds))
    match kind:
        case "null":
            return None
        case "boolean":
            return draw(st.booleans())
        case "string":
            return draw(st.sampled_from(NAMES))
        case "integer" | "number":
            return draw(_numbers(schema, kind))
        case "array":
            return draw(_lists(schema))
    return draw(_mappings(schema))


def _numbers(schema: Mapping[str, Any], kind: str) -> st.SearchStrategy:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -5))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 6))
    if kind == "integer":
        step = schema.get("multipleOf", 1)
        return st.integers(-(-low // step), max(-(-low // step), high // step)).map(
            lambda value: value * step
        )
    return st.floats(
        low,
        high,
        exclude_min="exclusiveMinimum" in schema,
        exclude_max="exclusiveMaximum" in schema,
    )


def _lists(schema: Mapping[str, Any]) -> st.SearchStrategy:
    least = schema.get("minItems", 0)
    return st.lists(
        of_schema(schema["items"]),
        min_size=least,
        max_size=schema.get("maxItems", least + 2),
        unique_by=repr if schema.get("uniqueItems") else None,
    )


@st.composite
def _mappings(draw: st.DrawFn, schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    value: dict[str, Any] = {}
    for key in schema.get("options", ()):
        if key in required or draw(st.booleans()):
            value[key] = draw(of_schema(properties[key]))
        own = options_of(component_of(value, schema), schema)
        properties = properties | own
        required |= {name for name in own if required and "default" not in own[name]}
    optional = sorted(set(properties) - required - set(value))
    chosen = draw(st.sets(st.sampled_from(optional), max_size=3)) if optional else set()
    for key in properties:
        if key in (required | chosen) - set(value):
            value[key] = draw(of_schema(properties[key]))
    if isinstance(schema.get("additionalProperties"), dict):
        least = schema.get("minProperties", 0)
        names = draw(st.lists(st.sampled_from(NAMES), min_size=least, max_size=2, unique=True))
        for name in names:
            value[name] = draw(of_schema(schema["additionalProperties"]))
    return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key or index) of everything within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


bases = st.one_of(
    st.sampled_from([BASE, *SHIPPED.values()]),
    of_schema(ROOT_SCHEMA),
    of_schema(ROOT_SCHEMA).map(
        lambda drawn: (
            BASE | drawn | {k: BASE[k] for k in ("datasets", "networks", "training", "conditions")}
        )
    ),
)


@st.composite
def studies(draw: st.DrawFn) -> Any:
    """Draw a configuration: one that is valid, or was before a few values were changed."""
    config = copy.deepcopy(draw(bases))
    for _ in range(draw(st.integers(0, 4))):
        found = list(places(config))
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["replace", "delete", "rename", "add", "swap", "valid"])):
            case "replace":
                container[key] = draw(anything)
            case "delete":
                del container[key]
            case "rename":
                if isinstance(container, dict):
                    container[draw(keys)] = container.pop(key)
            case "add":
                if isinstance(container, dict):
                    container[draw(keys)] = draw(anything)
                else:
                    container.append(draw(anything))
            case "swap":
                other, place = draw(st.sampled_from(found))
                container[key] = copy.deepcopy(
                    other.get(place) if isinstance(other, dict) else None
                )
            case "valid":
                if key in ROOT_SCHEMA["properties"] and container is config:
                    container[key] = draw(of_schema(ROOT_SCHEMA["properties"][key]))
    return config
