"""Options of a component without an entry in the schema are those of its function."""

from pathlib import Path

import pytest
from study_cases import study

from minimascope import registry
from minimascope.components import Component
from minimascope.errors import InputError
from minimascope.study.schema import load_schema
from minimascope.study.signatures import declared_options

FUNCTION = """
from functools import partial

def own(model, lr, *, beta: float = 0.9, steps: int, names: list[str] = ("a", "b"),
        clip: float | None = None, free=-1, other: "torch.Tensor | None" = None, **rest): ...

class Own:
    def __init__(self, model, flag: bool = False): ...

class Plain: ...

made = partial(own, beta=1.0)
"""


def declared(tmp_path: Path, name: str, text: str = FUNCTION) -> dict[str, dict]:
    (tmp_path / "parts").mkdir(exist_ok=True)
    (tmp_path / "parts" / "own.py").write_text(text, encoding="utf-8")
    return declared_options(Component(f"parts.own:{name}"), {"model", "lr"}, tmp_path)


def test_names_types_and_defaults_are_those_of_the_signature(tmp_path):
    options = declared(tmp_path, "own")
    assert all("parts.own:own" in option.pop("description") for option in options.values())
    assert options == {
        "beta": {"type": ["number"], "default": 0.9},
        "steps": {"type": ["integer"]},
        "names": {"type": ["array"], "default": ["a", "b"]},
        "clip": {"type": ["number", "null"], "default": None},
        "free": {"default": -1},
        "other": {"default": None},
    }


def test_a_class_declares_what_it_is_made_with_and_a_partial_function_nothing(tmp_path):
    assert list(declared(tmp_path, "Own")) == ["flag"]
    assert declared(tmp_path, "Plain") == declared(tmp_path, "made") == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("own", "def own(:", "own.py, line 1: invalid syntax; correct it"),
        ("mine", FUNCTION, "own.py defines no mine; correct one of the two"),
        (
            "own",
            "X = 1\ndef own(a=X): ...",
            "line 2: the default of a is not a plain value",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, name, text, message):
    with pytest.raises(InputError) as error:
        declared(tmp_path, name, text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_module_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"registry.py: .*missing.py is not there"):
        declared_options(Component("missing:own"), (), tmp_path)


@pytest.fixture
def undocumented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered components that the schema does not know: a network, and a source of sounds."""
    for kind, name, component in (
        ("NETWORKS", "own", registry.NETWORKS["mlp"]),
        ("SOURCES", "own", registry.SOURCES["audio_folder"]),
    ):
        monkeypatch.setitem(getattr(registry, kind), name, component)
    load_schema.cache_clear()
    yield
    load_schema.cache_clear()


@pytest.mark.usefixtures("undocumented")
def test_a_study_gives_them_as_any_other_options():
    def networks(**options):
        return study(networks={"own": {"architecture": "own"} | options})

    assert networks(hidden_layers=3).network_spec("own")["hidden_layers"] == 3
    for options, message in (
        ({}, "networks.own: 'hidden_layers' is missing; add it"),
        ({"hidden_layers": 0.5}, "networks.own.hidden_layers: expected a whole number, got 0.5"),
        (
            {"hidden_layers": 2, "layers": 2},
            "networks.own.layers: not a setting of own; did you",
        ),
    ):
        with pytest.raises(InputError) as error:
            networks(**options)
        assert message in str(error.value)


@pytest.mark.usefixtures("undocumented")
def test_a_source_of_recordings_has_features():
    loaded = study(
        datasets={
            "sounds": {"source": "own", "table": "a.csv", "path": None, "domain_column": "domain"}
        }
    )
    assert loaded.features_spec("sounds")["mels"] == 64
