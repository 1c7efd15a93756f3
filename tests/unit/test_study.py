"""What a study resolves to: layers of settings, sweeps, protocols, corruptions, toy functions."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_cases import ROOT, SCHEMA, study

from minimascope.canonical import canonical_json
from minimascope.registry import TOY_FUNCTIONS
from minimascope.study import products
from minimascope.study.corruptions import (
    corrupted_set,
    corruption_kinds,
    corruption_names,
    corruption_spec,
)
from minimascope.study.loading import deep_merge, load_study
from minimascope.study.toys import toy_jobs, toys_of

VALIDATION = {"speckle_noise", "gaussian_blur", "spatter", "saturate"}

# Layers of settings


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
    datasets = {"datasets": {"name": {"a": 1}, "other": {}}}
    merged = deep_merge(datasets, {"datasets": {"name": {"b": 2}}})
    assert merged == {"datasets": {"name": {"a": 1, "b": 2}, "other": {}}}


def test_defaults_hide_nothing_and_depend_on_the_component():
    conditions = {
        "none": {"sam": None, "averaging": None},
        "kfac": {"optimizer": {"name": "kfac", "lr": 1}},
        "adam": {"optimizer": {"name": "adam", "lr": 0.1}},
        "padded": {"augment": {"crop_padding": 2}},
    }
    training = {"sam": {"rho": 1}, "augment": {"crop_fill": 9}, "averaging": {"name": "ema"}}
    loaded = study(training=training, conditions=conditions)
    spec = {name: loaded.training["small", name] for name in loaded.conditions}
    assert (spec["none"]["sam"], spec["none"]["averaging"]) == (None, None)
    assert (spec["sam"]["sam"]["rho"], spec["sam"]["averaging"]["decay"]) == (0.05, 0.999)
    momentum = {name: spec[name]["optimizer"].get("momentum") for name in conditions}
    assert momentum == {"none": 0, "kfac": 0.9, "adam": None, "padded": 0}
    assert (spec["padded"]["augment"]["crop_fill"], spec["none"]["augment"]["crop_padding"]) == (
        9,
        0,
    )


def test_conditions_of_a_data_set_override_the_study_s_on_it_alone():
    override = {"sam": {"sam": {"rho": 0.2}, "epochs": 9}}
    loaded = study(datasets={"large": {"training": {"epochs": 6}, "conditions": override}})
    spec = {pair: loaded.training[pair] for pair in loaded.training}
    assert (spec["large", "sam"]["sam"]["rho"], spec["large", "sam"]["epochs"]) == (0.2, 9)
    assert (spec["small", "sam"]["sam"]["rho"], spec["small", "sam"]["epochs"]) == (0.05, 5)
    assert (spec["large", "baseline"]["sam"], spec["large", "baseline"]["epochs"]) == (None, 6)


def test_a_sweep_makes_a_condition_of_each_cell():
    axes = {"training.optimizer.lr": [0.1, 0.2], "training.batch_size": [4, 8]}
    loaded = study(sweeps={"grid": {"axes": axes, "conditions": ["sam"]}})
    cells = [f"sam-lr{lr}-batch_size{size}" for lr in (0.1, 0.2) for size in (4, 8)]
    assert loaded.conditions == ["baseline", "sam", *cells]
    assert set(loaded.base_conditions.values()) == {"baseline", "sam"}
    spec = loaded.training["small", "sam-lr0.2-batch_size4"]
    assert (spec["optimizer"]["lr"], spec["batch_size"], spec["sam"]["rho"]) == (0.2, 4, 0.05)


def test_conditions_of_a_data_set_count_for_sweeps_but_not_over_what_is_swept():
    override = {"sam": {"optimizer": {"lr": 0.7}, "epochs": 9}}
    sweep = {"axes": {"training.optimizer.lr": [0.1, 0.2]}}
    loaded = study(datasets={"large": {"conditions": override}}, sweeps={"lr": sweep})
    for cell, rate in {"sam": 0.7, "sam-lr0.1": 0.1, "sam-lr0.2": 0.2}.items():
        spec = loaded.training["large", cell]
        assert (spec["optimizer"]["lr"], spec["epochs"], spec["sam"]["rho"]) == (rate, 9, 0.05)
    assert loaded.training["small", "sam-lr0.2"]["epochs"] == 5


def test_sharpness_settings_of_a_data_set_override_the_study_s_on_it_alone():
    loaded = study(
        sharpness={"forward": {}, "perturbation": {"samples": 7}},
        datasets={"large": {"sharpness": {"perturbation": {"published_share": 0.5}}}},
    )
    small, large = (loaded.sharpness[name]["perturbation"] for name in ("small", "large"))
    assert (large["published_share"], large["samples"], large["radius"]) == (0.5, 7, 0.005)
    assert (small["published_share"], small["samples"]) == (1.0, 7)
    assert loaded.sharpness["large"]["forward"] == loaded.sharpness["small"]["forward"]


@pytest.mark.parametrize(
    ("sharpness", "families"),
    [
        ({}, ["forward", "perturbation"]),
        ({"on": ["final", "initial"]}, ["forward", "perturbation"]),
        ({"interpolation": {"lines": [["initial", "sam"]]}}, ["forward", "perturbation"]),
        ({"perturbation": None}, ["forward"]),
        ({"forward": {}}, ["forward"]),
        ({"hessian": {"eigenvalues": 1}}, ["hessian"]),
        ({"landscape": {}, "perturbation": {}, "forward": None}, ["perturbation", "landscape"]),
    ],
)
def test_families_are_those_that_a_study_names_and_two_where_it_names_none(sharpness, families):
    assert study(sharpness=sharpness).families == families


def test_the_published_protocol_merges_its_section_and_renames_the_study():
    section = {
        "training": {"epochs": 7},
        "datasets": {"large": {"training": {"batch_size": 20}, "augment_test": True}},
        "conditions": {"sam": {"sam": {"rho": 0.5}}},
    }
    published = study(protocol="published", published=section)
    assert published.name == "mine-published"
    small, large = (published.training[dataset, "sam"] for dataset in ("small", "large"))
    assert (small["epochs"], small["batch_size"], small["sam"]["rho"]) == (7, 10, 0.5)
    assert (large["epochs"], large["batch_size"]) == (7, 20)
    assert published.config["datasets"]["large"]["source"] == "cifar10"
    corrected = study(published=section)
    assert (corrected.name, corrected.training) == ("mine", study().training)
    assert corrected.test_augmentation("large", "baseline") is None


# What of it is run and measured


def test_a_data_set_has_the_networks_that_it_lists_or_all():
    both = [("small", "resnet"), ("small", "vgg")]
    assert study().pairs == [*both, ("large", "resnet"), ("large", "vgg")]
    assert study(datasets={"large": {"networks": ["vgg"]}}).pairs == [*both, ("large", "vgg")]


def test_views_are_those_in_which_a_condition_s_data_differ():
    conditions = {"augmented": {"augment": {"crop_padding": 1}}}
    # YAML reads a bare `on` as true.
    sharpness = {True: ["final", "initial"], "view": ["augmented", "clean"]}
    loaded = study(sharpness=sharpness, conditions=conditions)
    assert loaded.measured == ["baseline", "sam", "augmented", "initial"]
    assert loaded.views("small", "baseline") == ["clean"]
    assert loaded.views("small", "augmented") == ["clean", "augmented"]
    assert loaded.views("small", "initial") == ["clean", "augmented"]
    assert loaded.augmentation("small", "initial")["crop_padding"] == 1
    only = study(sharpness={"view": ["augmented"]}, conditions=conditions)
    assert only.views("small", "baseline") == ["clean"]
    assert only.views("small", "augmented") == ["augmented"]


def test_figures_are_those_whose_tables_a_study_has():
    assert "landscape_lines" not in products.figures(study())
    assert "spectrum" in products.figures(study(sharpness={"hessian": {}}))
    assert "interpolation" not in products.figures(study(sharpness={"hessian": {}}))


SOURCE_OF = {"cifar10_c": "cifar10", "tiny_imagenet_c": "tiny_imagenet"}


def test_a_corrupted_set_decides_which_corruptions_there_are():
    def with_set(name: str):
        large = {"source": SOURCE_OF.get(name, "cifar10"), "corrupted": name}
        return study(datasets={"large": large})

    sets = ("none", "generated", *SOURCE_OF)
    names = {name: corruption_names(with_set(name), "large") for name in sets}
    assert names["none"] == []
    assert len(names["generated"]) == 19
    assert names["cifar10_c"] == names["generated"]
    assert set(names["generated"]) - set(names["tiny_imagenet_c"]) == VALIDATION
    assert len(names["tiny_imagenet_c"]) == 15
    assert corrupted_set(study(), "large") == "generated"
    without = study(evaluation={"corruptions": None})
    assert corruption_names(without, "large") == []


def test_wanted_corruptions_keep_their_order_and_settings():
    wanted = {"names": ["snow", "spatter", "fog"], "severities": [2], "samples": 9}
    large = {"source": "tiny_imagenet", "corrupted": "tiny_imagenet_c"}
    loaded = study(evaluation={"corruptions": wanted}, datasets={"large": large})
    assert corruption_names(loaded, "large") == ["snow", "fog"]
    assert corruption_names(loaded, "small") == ["snow", "spatter", "fog"]
    assert corruption_kinds(loaded, "small") == {"weather": ["snow", "spatter", "fog"]}
    names = ["snow", "fog"]
    expected = {"names": names, "set": "tiny_imagenet_c", "severities": [2], "samples": 9}
    assert corruption_spec(loaded, "large", "weather") == expected


def test_label_noise_is_a_setting_of_training_but_not_of_the_initial_weights():
    loaded = study(training={"label_noise": 0.25}, conditions={"clean": {"label_noise": 0.0}})
    noise = [loaded.label_noise("small", name) for name in ("baseline", "clean", "initial")]
    assert noise == [0.25, 0, 0]


def test_points_are_not_corrupted():
    loaded = study(datasets={"small": {"source": "circles"}})
    assert (loaded.kind("small"), corrupted_set(loaded, "small")) == ("points", "none")
    assert corruption_names(loaded, "small") == []
    assert loaded.recordings == []


TOYS: dict[str, Any] = {"study": "toys", "seeds": [0, 3], "toy_fits": {}}


def test_a_study_of_toy_functions_alone_has_no_networks_on_data():
    loaded = load_study(TOYS, SCHEMA)
    assert (loaded.pairs, loaded.conditions, loaded.recordings) == ([], [], [])
    first, *_, last = toy_jobs(loaded)
    assert first == {"function": TOY_FUNCTIONS[0], "seed": 0}
    assert last == {"function": TOY_FUNCTIONS[-1], "seed": 3}
    assert len(toy_jobs(loaded)) == 2 * len(TOY_FUNCTIONS)
    assert toys_of(loaded, "booth", "3") == {"functions": ["booth"], "seeds": [3]}


def test_all_toy_functions_can_be_one_job():
    loaded = load_study(deep_merge(TOYS, {"toy_fits": {"together": True}}), SCHEMA)
    [job] = toy_jobs(loaded)
    assert toys_of(loaded, **job) == {"functions": list(TOY_FUNCTIONS), "seeds": [0, 3]}
    assert toy_jobs(study()) == []


# What its reruns and its planning rest on

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


def test_planning_a_study_imports_no_torch():
    code = (
        "import sys, minimascope.study.loading, minimascope.study.conditions,"
        " minimascope.jobs.code_version, minimascope.data.download;"
        " assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "scripts")
