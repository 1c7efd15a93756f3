"""What a study resolves to: protocols, and settings of single data sets."""

from typing import Any

import pytest
from study_cases import BASE, SCHEMA, study

from minimascope.errors import InputError
from minimascope.registry import TOY_FUNCTIONS
from minimascope.study.config import deep_merge
from minimascope.study.loading import load_study

VALIDATION = {"speckle_noise", "gaussian_blur", "spatter", "saturate"}


def refused(**changes: Any) -> str:
    with pytest.raises(InputError) as error:
        study(**changes)
    assert "\n" not in str(error.value)
    return str(error.value)


# Protocols

PUBLISHED = {
    "published": {
        "training": {"epochs": 7},
        "datasets": {"large": {"training": {"batch_size": 20}, "augment_test": True}},
        "conditions": {"sam": {"sam": {"rho": 0.5}}},
    }
}


def test_the_published_protocol_merges_its_section_and_renames_the_study():
    published = study(protocol="published", **PUBLISHED)
    assert published.name == "mine-published"
    small, large = (published.training_spec(dataset, "sam") for dataset in ("small", "large"))
    assert (small["epochs"], small["batch_size"], small["sam"]) == (7, 10, {"rho": 0.5})
    assert (large["epochs"], large["batch_size"]) == (7, 20)
    assert published.config["datasets"]["large"]["source"] == "cifar10"


def test_the_corrected_protocol_leaves_the_published_section_alone():
    corrected, without = study(**PUBLISHED), study()
    assert corrected.name == "mine"
    assert corrected.training == without.training
    assert corrected.test_augmentation("large", "baseline") is None


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"training": {"epochz": 7}}, "training.epochz: unknown key; did you mean 'epochs'"),
        ({"nonsense": 1}, "nonsense: unknown key; valid:"),
        ({"datasets": {"large": {"corrupted": "c"}}}, "datasets.large.corrupted: unknown name"),
        ({"seeds": [1, 1]}, "seeds: lists a value twice"),
        ([1], "published: expected object, got a list"),
    ],
)
@pytest.mark.parametrize("protocol", ["published", "corrected"])
def test_a_fault_inside_the_published_section_is_told(section, message, protocol):
    assert refused(protocol=protocol, published=section).startswith(message)


# Settings of single data sets


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "cifar100", "corrupted": "cifar10_c"}, "corrupted: cifar10_c is no corrupted"),
        ({"source": "digits", "corrupted": "tiny_imagenet_c"}, "corrupted: tiny_imagenet_c is no"),
        (
            {"source": "cifar10", "corrupted": "cifar10_c", "test_samples": 100},
            "test_samples: cifar10_c belongs to the whole test split",
        ),
    ],
)
def test_a_corrupted_set_must_belong_to_the_test_split(changes, message):
    assert refused(datasets={"large": changes}).startswith(f"datasets.large.{message}")


def test_a_data_set_has_the_networks_that_it_lists_or_all():
    both = [("small", "resnet"), ("small", "vgg")]
    assert study().pairs == [*both, ("large", "resnet"), ("large", "vgg")]
    assert study(datasets={"large": {"networks": ["vgg"]}}).pairs == [*both, ("large", "vgg")]


def test_networks_that_do_not_exist_or_are_used_nowhere_are_told():
    only = {"small": {"networks": ["resnet"]}, "large": {"networks": ["resnet"]}}
    assert refused(datasets=only) == (
        "networks.vgg: no data set lists it under networks; add it to one"
    )
    assert refused(datasets={"large": {"networks": ["vgh"]}}) == (
        "datasets.large.networks: no network 'vgh'; did you mean 'vgg'?"
    )
    assert refused(datasets={"large": {"networks": []}}).startswith("datasets.large.networks: is")


def test_conditions_of_a_data_set_override_the_study_s_on_it_alone():
    override = {"sam": {"sam": {"rho": 0.2}, "epochs": 9}}
    loaded = study(datasets={"large": {"training": {"epochs": 6}, "conditions": override}})
    spec = {pair: loaded.training_spec(*pair) for pair in loaded.training}
    assert (spec["large", "sam"]["sam"]["rho"], spec["large", "sam"]["epochs"]) == (0.2, 9)
    assert (spec["small", "sam"]["sam"]["rho"], spec["small", "sam"]["epochs"]) == (0.05, 5)
    assert (spec["large", "baseline"]["sam"], spec["large", "baseline"]["epochs"]) == (None, 6)


def test_conditions_of_a_data_set_count_for_sweeps_but_not_over_what_is_swept():
    override = {"sam": {"optimizer": {"lr": 0.7}, "epochs": 9}}
    sweep = {"axes": {"training.optimizer.lr": [0.1, 0.2]}}
    loaded = study(datasets={"large": {"conditions": override}}, sweeps={"lr": sweep})
    for cell, rate in {"sam": 0.7, "sam-lr0.1": 0.1, "sam-lr0.2": 0.2}.items():
        spec = loaded.training_spec("large", cell)
        assert (spec["optimizer"]["lr"], spec["epochs"], spec["sam"]["rho"]) == (rate, 9, 0.05)
    assert loaded.training_spec("small", "sam-lr0.2")["epochs"] == 5


def test_an_unknown_condition_of_a_data_set_is_told():
    assert refused(datasets={"large": {"conditions": {"sum": {"epochs": 1}}}}) == (
        "datasets.large.conditions: no condition 'sum'; did you mean 'sam'?"
    )


def test_sharpness_settings_of_a_data_set_override_the_study_s_on_it_alone():
    loaded = study(
        sharpness={"perturbation": {"samples": 7}},
        datasets={"large": {"sharpness": {"perturbation": {"published_share": 0.5}}}},
    )
    small, large = (loaded.sharpness[name]["perturbation"] for name in ("small", "large"))
    assert (large["published_share"], large["samples"], large["radius"]) == (0.5, 7, 0.005)
    assert (small["published_share"], small["samples"]) == (1.0, 7)
    assert loaded.sharpness["large"]["forward"] == loaded.sharpness["small"]["forward"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"hessian": {}}, ".hessian: a data set can change the settings of measures that"),
        ({"forward": None}, ".forward: a data set can change the settings of measures that"),
        ({"view": ["augmented"]}, ".view: a data set can change the settings of measures that"),
        ({"forwards": {}}, ".forwards: a data set can change the settings of measures that"),
        ({"forward": {"share": 1}}, ".forward.share: unknown key; valid: published, "),
        ({"forward": {"published_share": 2}}, ".forward.published_share: must be at most 1, got 2"),
        ({"forward": 1}, ".forward: expected object or null, got 1"),
    ],
)
def test_a_data_set_cannot_have_other_measures_or_unknown_settings(override, message):
    told = refused(datasets={"large": {"sharpness": override}})
    assert told.startswith(f"datasets.large.sharpness{message}")


SOURCE_OF = {"cifar10_c": "cifar10", "tiny_imagenet_c": "tiny_imagenet"}


def test_a_corrupted_set_decides_which_corruptions_there_are():
    sets = ("none", "generated", *SOURCE_OF)
    names = {
        name: study(
            datasets={"large": {"source": SOURCE_OF.get(name, "cifar10"), "corrupted": name}}
        ).corruption_names("large")
        for name in sets
    }
    assert names["none"] == []
    assert len(names["generated"]) == 19
    assert names["cifar10_c"] == names["generated"]
    assert set(names["generated"]) - set(names["tiny_imagenet_c"]) == VALIDATION
    assert len(names["tiny_imagenet_c"]) == 15
    assert study().corrupted_set("large") == "generated"
    without = study(evaluation={"corruptions": None})
    assert without.corruption_names("large") == []


def test_wanted_corruptions_keep_their_order_and_settings():
    wanted = {"names": ["snow", "spatter", "fog"], "severities": [2], "samples": 9}
    large = {"source": "tiny_imagenet", "corrupted": "tiny_imagenet_c"}
    loaded = study(evaluation={"corruptions": wanted}, datasets={"large": large})
    assert loaded.corruption_names("large") == ["snow", "fog"]
    assert loaded.corruption_names("small") == ["snow", "spatter", "fog"]
    expected = {"set": "tiny_imagenet_c", "severities": [2], "samples": 9}
    assert loaded.corruption_spec("large") == expected
    absent = refused(evaluation={"corruptions": {"names": ["spatter"]}}, datasets={"large": large})
    assert absent.startswith("evaluation.corruptions.names: tiny_imagenet_c has none of them")


def test_label_noise_is_a_setting_of_training_but_not_of_the_initial_weights():
    loaded = study(training={"label_noise": 0.25}, conditions={"clean": {"label_noise": 0.0}})
    noise = [loaded.label_noise("small", name) for name in ("baseline", "clean", "initial")]
    assert noise == [0.25, 0, 0]
    assert refused(training={"label_noise": 1.5}) == (
        "training.label_noise: must be at most 1, got 1.5"
    )


# Toy functions

TOYS: dict[str, Any] = {"study": "toys", "seeds": [0], "toy_fits": {}}


def test_a_study_of_toy_functions_alone_has_no_networks_on_data():
    loaded = load_study(TOYS, SCHEMA)
    assert (loaded.pairs, loaded.conditions, loaded.recordings) == ([], [], [])
    assert loaded.toy_parts == list(TOY_FUNCTIONS)
    assert loaded.toy_functions_of("booth") == ["booth"]


def test_all_toy_functions_can_be_one_part():
    loaded = load_study(deep_merge(TOYS, {"toy_fits": {"together": True}}), SCHEMA)
    assert loaded.toy_parts == ["all"]
    assert loaded.toy_functions_of("all") == list(TOY_FUNCTIONS)
    assert study().toy_parts == []


@pytest.mark.parametrize("section", ["datasets", "networks", "training", "conditions"])
@pytest.mark.parametrize("toys", [{}, {"toy_fits": {}}])
def test_sections_of_networks_are_left_out_together_or_not_at_all(section: str, toys):
    config = {key: value for key, value in BASE.items() if key != section} | toys
    with pytest.raises(InputError, match=f"^configuration: '{section}' is missing; add it$"):
        load_study(config, SCHEMA)


def test_a_study_without_networks_needs_toy_fits():
    with pytest.raises(InputError, match=r"^configuration: 'datasets' is missing; add it$"):
        load_study({"study": "toys", "seeds": [0], "toy_functions": True}, SCHEMA)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"functions": ["boot"]}, "toy_fits.functions[0]: unknown name 'boot'; did you mean"),
        ({"epochs": [0]}, "toy_fits.epochs[0]: must be at least 1"),
        ({"radii": []}, "toy_fits.radii: is empty"),
        ({"perturbations": 1}, "toy_fits.perturbations: must be at least 2"),
        ({"seeds": [1]}, "toy_fits.seeds: unknown key"),
    ],
)
def test_a_fault_of_toy_fits_is_told_in_one_line(settings, message: str):
    assert refused(toy_fits=settings).startswith(message)


# Points

POINTS = {
    "datasets": {"small": {"source": "circles"}},
    "networks": {"vgg": {"architecture": "mlp"}},
}


def test_points_are_not_corrupted():
    loaded = study(**POINTS)
    assert loaded.kind("small") == "points"
    assert loaded.corrupted_set("small") == "none"
    assert loaded.corruption_names("small") == []
    assert loaded.recordings == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"datasets": {"small": {"source": "circles", "corrupted": "generated"}}},
            "datasets.small.corrupted: corruptions are made for images, not for points; leave it",
        ),
        (
            {"conditions": {"sam": {"augment": {"crop_padding": 1}}}},
            "conditions.sam.augment.crop_padding: augments images, which small has none of",
        ),
        (
            {"conditions": {"sam": {"augment": {"band_masks": 1}}}},
            "conditions.sam.augment.band_masks: augments recordings, which small has none of",
        ),
        (
            {"conditions": {"sam": {"sampling": "domain_balanced"}}},
            "conditions.sam.sampling: small has no domains to balance",
        ),
        (
            {"datasets": {"small": {"source": "circles", "features": {}}}},
            "datasets.small.features: circles has points, not recordings; leave it out",
        ),
        (
            {"datasets": {"small": {"source": "circles", "factor": 1.0}}},
            "datasets.small.factor: must be less than 1",
        ),
        (
            {"datasets": {"small": {"source": "circles", "train_size": 9}}},
            "datasets.small.train_size: not a setting of circles",
        ),
    ],
)
def test_what_makes_no_sense_for_points_is_refused(changes, message: str):
    assert refused(**deep_merge(POINTS, changes)).startswith(message)
