"""What a configuration may say, and what is said of one that it may not."""

import copy
import inspect
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, Adam, AdamW, RMSprop

from minimascope import registry
from minimascope.canonical import canonical_json
from minimascope.errors import InputError
from minimascope.study.config import (
    check,
    deep_merge,
    load_schema,
    resolve_reference,
    with_defaults,
)
from minimascope.study.loading import load_study
from minimascope.training import TrainingSpec

ROOT = Path(__file__).parents[2]
SCHEMA_PATH = ROOT / "resources" / "config.schema.yaml"
SCHEMA = load_schema(SCHEMA_PATH)
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def study(**changes):
    return load_study(copy.deepcopy(DEFAULT) | changes, SCHEMA_PATH)


def test_merging_goes_mapping_by_mapping_and_changes_nothing_in_place():
    base = {"a": {"x": 1, "y": [1]}, "b": 2}
    merged = deep_merge(base, {"a": {"x": 3}}, {"a": {"z": 4}, "b": None})
    assert merged == {"a": {"x": 3, "y": [1], "z": 4}, "b": None}
    merged["a"]["y"].append(2)
    assert base == {"a": {"x": 1, "y": [1]}, "b": 2}


def test_another_name_replaces_the_settings_below_it():
    base = {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}}
    assert deep_merge(base, {"optimizer": {"lr": 1}})["optimizer"]["momentum"] == 0.9
    other = {"name": "adam", "lr": 0.001}
    assert deep_merge(base, {"optimizer": other}) == {"optimizer": other}


def test_a_run_has_the_settings_of_study_data_set_and_condition_in_this_order():
    config = copy.deepcopy(DEFAULT)
    config["datasets"]["digits"]["training"] = {"epochs": 7, "batch_size": 8}
    config["conditions"] = {"long": {"epochs": 9}, "plain": {}}
    loaded = load_study(config, SCHEMA_PATH)
    long, plain = (loaded.training_spec("digits", name) for name in ("long", "plain"))
    assert (long["epochs"], long["batch_size"]) == (9, 8)
    assert (plain["epochs"], plain["batch_size"]) == (7, 8)
    assert plain["optimizer"]["lr"] == DEFAULT["training"]["optimizer"]["lr"]


def test_defaults_are_filled_in_at_every_depth_but_never_over_an_override():
    loaded = study(conditions={"sam": {"sam": {"rho": 0.1}}, "none": {"sam": None}})
    assert loaded.config["sharpness"]["perturbation"]["radius"] == 0.005
    assert loaded.config["datasets"]["digits"]["normalize"] == {"mean": None, "std": None}
    spec = loaded.training_spec("digits", "sam")
    assert (spec["label_smoothing"], spec["augment"]) == (0.0, None)
    assert loaded.training_spec("digits", "none")["sam"] is None
    assert len(loaded.corruption_names("digits")) == 19


def test_a_bare_on_in_yaml_means_the_word():
    text = "sharpness: {on: [final, initial], view: [clean, augmented]}"
    loaded = study(**yaml.safe_load(text))
    assert loaded.config["sharpness"]["on"] == ["final", "initial"]
    assert loaded.measured == [*DEFAULT["conditions"], "initial"]


def test_views_are_those_in_which_a_condition_s_data_differ():
    loaded = study(sharpness={"on": ["final", "initial"], "view": ["augmented", "clean"]})
    assert loaded.views("digits", "baseline") == ["clean"]
    assert loaded.views("digits", "augmentation_sam") == ["clean", "augmented"]
    assert loaded.views("digits", "initial") == ["clean", "augmented"]
    assert loaded.augmentation("digits", "initial")["crop_padding"] == 1
    only = study(sharpness={"view": ["augmented"]})
    assert only.views("digits", "baseline") == ["clean"]
    assert only.views("digits", "augmentation") == ["augmented"]


def test_figures_are_those_whose_tables_a_study_has():
    assert "landscape_lines" not in study().figures
    assert "spectrum" in study(sharpness={"hessian": {}}).figures
    assert "interpolation" not in study(sharpness={"hessian": {}}).figures


def test_sweep_makes_a_condition_of_each_cell():
    loaded = study(
        conditions={"a": {}, "b": {"sam": {"rho": 1}}},
        sweeps={
            "grid": {
                "axes": {"training.optimizer.lr": [0.1, 0.2], "training.batch_size": [4, 8]},
                "conditions": ["b"],
            }
        },
    )
    cells = [name for name in loaded.conditions if name not in ("a", "b")]
    assert cells == [
        "b-lr0.1-batch_size4",
        "b-lr0.1-batch_size8",
        "b-lr0.2-batch_size4",
        "b-lr0.2-batch_size8",
    ]
    spec = loaded.training_spec("digits", "b-lr0.2-batch_size4")
    assert (spec["optimizer"]["lr"], spec["batch_size"], spec["sam"]["rho"]) == (0.2, 4, 1)
    assert spec["optimizer"]["momentum"] == 0.9


FAULTS = [
    (
        {"sharpness": {"forward": None, "perturbation": None}},
        "sharpness: every family is null; measure at least one",
    ),
    ({"seed": [0]}, "seed: unknown key; did you mean 'seeds'?"),
    ({"seeds": "0"}, "seeds: expected array, got the text '0' (in YAML write 0.0)"),
    ({"seeds": [1, 1]}, "seeds: lists a value twice; give each once"),
    ({"seeds": [-1]}, "seeds[0]: must be at least 0, got -1"),
    ({"networks": {}}, "networks: is empty; give at least 1"),
    ({"conditions": {True: {}, "on": {}}}, "conditions.on: True and 'on' are one name; rename one"),
    ({"datasets": {"x": {1: 1, "1": 2}}}, "datasets.x.1: 1 and '1' are one name; rename one"),
    (
        {"study": "Compared"},
        "study: results/Compared is for comparisons of studies; rename it",
    ),
    ({"networks": None}, "networks: expected object, got nothing"),
    ({"study": "../x"}, "study: '../x' does not match ^[A-Za-z][A-Za-z0-9_-]*\\Z"),
    ({"conditions": {"a b": {}}}, "conditions: 'a b' does not match ^[A-Za-z][A-Za-z0-9_]*\\Z"),
    (
        {"training": {"epochs": 1, "batch_size": 2}},
        "conditions.baseline: 'optimizer' is missing; add it",
    ),
    (
        {"conditions": {"a": {"sam": {}}}},
        "conditions.a.sam: 'rho' is missing; add it",
    ),
    (
        {"conditions": {"a": {"optimizer": {"name": "adam", "lr": 1.0, "momentum": 0.9}}}},
        "conditions.a.optimizer.momentum: not a setting of adam;"
        " valid: betas, eps, lr, weight_decay",
    ),
    (
        {"conditions": {"a": {"optimizer": {"momentum": 0.0, "nesterov": True}}}},
        "conditions.a.optimizer.nesterov: needs a momentum above 0; add it",
    ),
    (
        {"datasets": {"d": {"source": "digits", "path": "x"}}},
        "datasets.d.path: not a setting of digits; valid: augment_test, conditions,",
    ),
    ({"sharpness": {"on": ["initial"]}}, "sharpness.on: lists no 'final'"),
    ({"sharpness": {"view": ["sharp"]}}, "sharpness.view[0]: unknown name 'sharp'; valid: clean"),
    (
        {"sharpness": {"hessian": {"trace_products": 10}}},
        "sharpness.hessian.trace_products: 10 is not a multiple of 3",
    ),
    ({"conditions": {"initial": {}}}, "conditions.initial: this is the name of the weights before"),
    (
        {"sharpness": {"interpolation": {"lines": [["initial", "base"]]}}},
        "sharpness.interpolation.lines: no condition 'base'; did you mean 'baseline'?",
    ),
    ({"sharpness": {"interpolation": {}}}, "sharpness.interpolation: has neither lines nor planes"),
    (
        {
            "sharpness": {"on": ["final", "initial"], "view": ["augmented"]},
            "conditions": {
                "a": {"augment": {"crop_padding": 1}},
                "b": {"augment": {"crop_padding": 2}},
            },
        },
        "sharpness.view: augmented data of the initial weights need one augmentation",
    ),
    (
        {"evaluation": {"corruptions": {"names": ["fogg"]}}},
        "evaluation.corruptions.names[0]: unknown name 'fogg'; did you mean 'fog'?",
    ),
    (
        {"sweeps": {"s": {"axes": {"training.epochz": [1]}}}},
        "conditions.baseline-epochz1.epochz: unknown key; did you mean 'epochs'?",
    ),
    (
        {"sweeps": {"s": {"axes": {"training.epochs": [30]}, "conditions": ["nobody"]}}},
        "sweeps.s.conditions: no condition 'nobody'; valid: ",
    ),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS, ids=[m for _, m in FAULTS])
def test_a_fault_is_told_in_one_line_with_its_path(changes, message):
    with pytest.raises(InputError) as error:
        study(**changes)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_two_cells_of_one_name_are_refused():
    sweep = {"axes": {"training.epochs": [3]}, "conditions": ["baseline"]}
    with pytest.raises(InputError, match=r"sweeps\.t: condition 'baseline-epochs3' exists"):
        study(sweeps={"s": sweep, "t": sweep})


def properties(node, path=""):
    if isinstance(node, dict):
        for key, child in node.get("properties", {}).items():
            yield f"{path}.{key}", child
        for key, child in node.items():
            yield from properties(child, f"{path}.{key}")


def test_every_key_is_described_and_its_default_is_valid():
    found = list(properties(SCHEMA))
    assert len(found) > 40
    for path, child in found:
        assert {**resolve_reference(child, SCHEMA), **child}.get("description"), path
        if "default" in child and "$ref" not in child:
            check(child["default"], {**child, "$defs": SCHEMA["$defs"]}, path)


def test_every_training_key_reaches_the_training():
    keys = set(SCHEMA["$defs"]["training"]["properties"])
    names = {field.name for field in fields(TrainingSpec)}
    renamed = {"sam": "sam_rho", "augment": "augmentation"}
    # Label noise is a matter of the data.
    assert {renamed.get(key, key) for key in keys - {"label_noise"}} == names
    for condition in study().conditions:
        spec = dict(study().training_spec("digits", condition))
        del spec["label_noise"]
        TrainingSpec.from_config(spec)


def test_every_setting_of_a_family_is_a_parameter_of_its_function():
    sections = SCHEMA["$defs"]["sharpness"]["properties"]
    for name, component in registry.SHARPNESS.items():
        parameters = inspect.signature(component.load()).parameters
        settings = set(sections[name]["properties"])
        assert settings <= set(parameters), name
        assert set(parameters) - settings <= {"subject", "generator", "batch_size"}, name
        for key in settings:
            default = parameters[key].default
            default = list(default) if isinstance(default, tuple) else default
            given = {**resolve_reference(sections[name]["properties"][key], SCHEMA)}["default"]
            assert given == default, f"{name}.{key}"


COMMON = {
    "NETWORKS": {"channels", "input_size", "classes", "width", "dropout"},
    "SOURCES": {"data_dir", "folder"},
    "FIGURES": {"dataset", "network"},
}


@pytest.mark.parametrize("table", COMMON)
def test_registered_options_are_the_parameters_of_what_they_configure(table):
    for name, component in getattr(registry, table).items():
        # What generates the scenes has their options, not what reads them.
        configured = registry.SCENES if name == "synthetic_scenes" else component
        parameters = set(inspect.signature(configured.load()).parameters)
        # Where weights come from is no part of a network, which can be built without them.
        assert parameters - COMMON[table] == component.options - {"weights"}, name


def test_registered_options_of_optimisers_are_their_parameters():
    torchs_own = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
    for name, component in registry.OPTIMIZERS.items():
        parameters = set(inspect.signature(torchs_own.get(name) or component.load()).parameters)
        assert component.options <= parameters, name
        assert {"lr", "weight_decay"} <= parameters


def test_registered_options_of_averages_are_their_parameters_and_have_the_defaults_in_print():
    described = SCHEMA["$defs"]["training"]["properties"]["averaging"]["properties"]
    for name, component in registry.AVERAGES.items():
        parameters = inspect.signature(component.load()).parameters
        assert set(parameters) - {"model"} == component.options, name
        for key in component.options:
            assert f"{name}: " in described[key]["description"]
            assert f"{parameters[key].default} unless given" in described[key]["description"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(), child, max_size=3),
    max_leaves=8,
)


def shuffled(value):
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in sorted(value, reverse=True)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(json_values)
def test_canonical_text_does_not_depend_on_the_order_of_keys(value):
    assert canonical_json(shuffled(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


def test_with_defaults_gives_each_parent_a_list_of_its_own():
    schema = {"additionalProperties": {"properties": {"a": {"default": [1]}}}}
    filled = with_defaults({"x": {}, "y": {}}, schema, schema)
    filled["x"]["a"].append(2)
    assert filled["y"]["a"] == [1]


def test_planning_a_study_imports_no_torch():
    code = (
        "import sys, minimascope.study.loading, minimascope.study.conditions,"
        " minimascope.jobs.code_version, minimascope.data.download;"
        " assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "scripts")
