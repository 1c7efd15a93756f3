"""What a study resolves to: protocols, settings of single data sets, and the published studies."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from minimascope.analysis.agreement import COLUMNS, NOT_RUN, compare, read_printed
from minimascope.analysis.printed import runs_in_print
from minimascope.analysis.tables import SUMMARY_COLUMNS
from minimascope.conditions import condition_rows
from minimascope.config import deep_merge
from minimascope.errors import InputError
from minimascope.study import Study, load_study

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "resources"
SCHEMA = RESOURCES / "config.schema.yaml"
PRINTED = [RESOURCES / "published" / f"{name}.csv" for name in ("deep_models", "sam_rho_sweep")]
STUDIES = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))
CONTROLS = [
    f"{name}{sam}" for name in ("baseline", "augmentation", "weight_decay") for sam in ("", "_sam")
]
VALIDATION = {"speckle_noise", "gaussian_blur", "spatter", "saturate"}

BASE: dict[str, Any] = {
    "study": "mine",
    "seeds": [0],
    "datasets": {"small": {"source": "digits"}, "large": {"source": "cifar10"}},
    "networks": {"resnet": {"architecture": "resnet18"}, "vgg": {"architecture": "vgg19"}},
    "training": {"epochs": 5, "batch_size": 10, "optimizer": {"name": "sgd", "lr": 0.1}},
    "conditions": {"baseline": {}, "sam": {"sam": {"rho": 0.05}}},
}


def study(**changes: Any) -> Study:
    return load_study(deep_merge(BASE, changes), SCHEMA)


def published_study(name: str, **changes: Any) -> Study:
    config = yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text(encoding="utf-8"))
    return load_study(config | changes, SCHEMA)


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


def test_a_corrupted_set_decides_which_corruptions_there_are():
    sets = ("none", "generated", "cifar10_c", "tiny_imagenet_c")
    names = {
        name: study(datasets={"large": {"corrupted": name}}).corruption_names("large")
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
    loaded = study(
        evaluation={"corruptions": wanted}, datasets={"large": {"corrupted": "tiny_imagenet_c"}}
    )
    assert loaded.corruption_names("large") == ["snow", "fog"]
    assert loaded.corruption_names("small") == ["snow", "spatter", "fog"]
    expected = {"set": "tiny_imagenet_c", "severities": [2], "samples": 9}
    assert loaded.corruption_spec("large") == expected


def test_label_noise_is_a_setting_of_training_but_not_of_the_initial_weights():
    loaded = study(training={"label_noise": 0.25}, conditions={"clean": {"label_noise": 0.0}})
    noise = [loaded.label_noise("small", name) for name in ("baseline", "clean", "initial")]
    assert noise == [0.25, 0, 0]
    assert refused(training={"label_noise": 1.5}) == (
        "training.label_noise: must be at most 1, got 1.5"
    )


# The published studies


def runs(loaded: Study) -> int:
    return len(loaded.pairs) * len(loaded.conditions) * len(loaded.seeds)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_every_study_can_be_loaded_under_both_protocols(name, protocol):
    loaded = published_study(name, protocol=protocol)
    assert len(loaded.training) == len(loaded.config["datasets"]) * len(loaded.conditions)
    assert set(loaded.controls.values()) <= set(loaded.config["conditions"])


@pytest.mark.parametrize("name", ["function_centric", "geometric_reappraisal"])
def test_the_function_centric_runs_are_those_of_the_papers(name):
    loaded = published_study(name)
    per_dataset = pd.Series([dataset for dataset, _ in loaded.pairs]).value_counts()
    trained = (per_dataset * len(loaded.conditions) * len(loaded.seeds)).to_dict()
    assert trained == {"cifar10": 180, "cifar100": 180, "tiny_imagenet": 120}
    assert runs(loaded) == 480
    assert sorted(loaded.conditions) == sorted(CONTROLS)
    assert loaded.seeds == list(range(10))
    for dataset, condition in loaded.training:
        spec = loaded.training_spec(dataset, condition)
        assert (spec["epochs"], spec["batch_size"], spec["label_noise"]) == (100, 256, 0)
        assert spec["sam"] == ({"rho": 0.05} if condition.endswith("_sam") else None)
        decayed = condition.startswith("weight_decay")
        assert spec["optimizer"] == {
            "name": "sgd",
            "momentum": 0.9,
            "lr": 0.01 if dataset == "cifar100" else 0.001,
            "weight_decay": 5e-4 if decayed else 0.0,
        }
        assert (spec["augment"] is not None) == condition.startswith("augmentation")


def test_the_function_centric_study_augments_and_normalises_as_the_papers():
    loaded = published_study("function_centric")
    crop = {"crop_padding": 4, "crop_fill": 128, "horizontal_flip": 0.5, "resized_crop": None}
    for name in ("augmentation", "augmentation_sam"):
        for dataset in ("cifar10", "cifar100"):
            assert loaded.augmentation(dataset, name) == crop
        tiny = loaded.augmentation("tiny_imagenet", name)
        assert (tiny["resized_crop"], tiny["crop_padding"]) == (0.08, 0)
        assert tiny["horizontal_flip"] == 0.5
    assert loaded.input_spec("cifar100") == {"mean": [0.5], "std": [0.5]}
    assert loaded.input_spec("tiny_imagenet")["mean"] == [0.485, 0.456, 0.406]
    assert [len(loaded.corruption_names(name)) for name in loaded.config["datasets"]] == [19, 19, 0]
    assert loaded.sharpness["cifar100"]["forward"]["published_share"] == 0.2
    assert loaded.sharpness["cifar10"]["forward"]["published_share"] == 1
    assert loaded.sharpness["tiny_imagenet"]["perturbation"]["published_share"] == 0.5


def test_only_the_published_protocol_swings_the_rate_and_augments_test_images():
    corrected = published_study("function_centric")
    published = published_study("function_centric", protocol="published")
    assert published.name == "function_centric-published"
    for condition in CONTROLS:
        schedules = [
            loaded.training_spec("cifar100", condition)["schedule"]
            for loaded in (corrected, published)
        ]
        assert schedules[0] == {"name": "cosine", "per": "epoch", "period": None}
        assert schedules[1] == {"name": "cosine", "per": "batch", "period": 100}
        assert corrected.training_spec("cifar10", condition)["schedule"]["name"] == "constant"
        augments = condition.startswith("augmentation")
        assert (published.test_augmentation("tiny_imagenet", condition) is not None) == augments
        assert published.test_augmentation("cifar10", condition) is None
        assert corrected.test_augmentation("tiny_imagenet", condition) is None


def test_the_sweep_of_sam_s_radius_is_the_paper_s():
    loaded = published_study("sam_rho_sweep")
    radii = [loaded.training_spec("cifar10", name)["sam"] for name in loaded.conditions]
    assert sorted(sam["rho"] for sam in radii if sam) == [0.0025, 0.005, 0.025, 0.05, 0.25, 0.5]
    assert radii.count(None) == 1
    assert runs(loaded) == 70


def test_the_minima_are_240_of_each_network():
    loaded = published_study("minima_240")
    specs = {name: loaded.training_spec("cifar10", name) for name in loaded.conditions}
    cells = {
        (loaded.controls[name], spec["batch_size"], spec["optimizer"]["lr"])
        for name, spec in specs.items()
    }
    expected = {(c, batch, lr) for c in CONTROLS for batch in (128, 256) for lr in (0.001, 0.01)}
    assert cells == expected
    assert len(loaded.conditions) == 24
    assert len(loaded.seeds) == 10
    assert loaded.pairs == [("cifar10", "resnet18"), ("cifar10", "vgg19")]
    assert "minima" in loaded.figures


def test_random_labels_go_from_none_to_all_in_steps_of_a_tenth():
    loaded = published_study("random_labels")
    for dataset in ("cifar10", "cifar100"):
        noise = [loaded.label_noise(dataset, name) for name in loaded.conditions]
        assert sorted(noise) == pytest.approx([step / 10 for step in range(11)])
    assert runs(loaded) == 66


# Conditions as a table, and which of them are in print


def conditions_of(loaded: Study) -> pd.DataFrame:
    """The rows as jobs read them: from a file."""
    table = pd.DataFrame(condition_rows(loaded)).to_csv(index=False)
    return pd.read_csv(io.StringIO(table)).set_index(["dataset", "network", "condition"])


def swept() -> Study:
    rho, batch = "training.sam.rho", "training.batch_size"
    axes = [{rho: [0.05, 0.5]}, {rho: [0.3], batch: [20]}, {batch: [10, 20]}]
    return study(
        sweeps={f"s{i}": {"axes": axis, "conditions": ["sam"]} for i, axis in enumerate(axes)},
        networks={"vgg": {"architecture": "pretrained_vgg19_bn"}},
        conditions={"augmentation": {"augment": {"crop_padding": 2}}},
        datasets={"small": {"printed": "cifar100"}},
    )


def test_conditions_are_told_apart_by_control_and_settings():
    rows = conditions_of(swept())
    assert len(rows) == 2 * 2 * (3 + 2 + 1 + 2)
    of = rows.reset_index([0, 1]).query("dataset == 'large' and network == 'resnet'")
    assert set(of.index[of["control"] != of.index]) == {
        f"sam-{cell}"
        for cell in ("rho0.05", "rho0.5", "rho0.3-batch_size20", "batch_size10", "batch_size20")
    }
    assert set(of["control"][3:]) == {"sam"}
    # Nothing but the radius, or nothing at all, sets these apart from their control.
    unlike = {"sam-rho0.3-batch_size20", "sam-batch_size20"}
    assert set(of.index[~of["like_control"]]) == unlike
    assert of["sam.rho"].dropna().to_dict()["sam-rho0.3-batch_size20"] == 0.3
    assert list(of.index[of["sam.rho"].isna()]) == ["augmentation", "baseline"]
    assert list(of.index[of["augmented"]]) == ["augmentation"]
    assert of.loc["augmentation", "augment.crop_padding"] == 2
    assert set(of["optimizer.lr"]) == {0.1}


def test_conditions_have_the_printed_names_of_data_sets_and_architectures():
    rows = conditions_of(swept()).groupby(["dataset", "network"]).first()
    names = rows[["printed_dataset", "architecture", "pretrained"]]
    assert list(names.itertuples(name=None)) == [
        (("large", "resnet"), "cifar10", "resnet18", False),
        (("large", "vgg"), "cifar10", "vgg19_bn", True),
        (("small", "resnet"), "cifar100", "resnet18", False),
        (("small", "vgg"), "cifar100", "vgg19_bn", True),
    ]
    assert study().printed_dataset("small") is None


def test_cells_of_a_radius_are_in_print_but_not_those_of_other_settings_or_repeats():
    kept = runs_in_print(conditions_of(swept()).reset_index())
    for _, group in kept.groupby(["dataset", "network"]):
        # sam-rho0.05 and sam-batch_size10 repeat their control.
        assert set(group["condition"]) == {"baseline", "augmentation", "sam", "sam-rho0.5"}
    rho = kept.groupby("condition")["rho"].first()
    assert rho.dropna().to_dict() == {"sam": 0.05, "sam-rho0.5": 0.5}
    kept = runs_in_print(conditions_of(study(conditions={"sam": {"sam": None}})).reset_index())
    assert set(kept["dataset"]) == {"large"}  # the other one is not in print
    assert kept["rho"].isna().all()


@pytest.mark.parametrize(
    ("name", "in_print", "missing"),
    [("sam_rho_sweep", {"baseline", "baseline_sam", "baseline_sam-rho0.25"}, 0),
     ("function_centric", {*CONTROLS}, 1)],
)  # fmt: skip
def test_published_studies_can_be_compared_with_print(name, in_print, missing):
    loaded = published_study(name)
    printed = pd.concat(map(read_printed, PRINTED))
    conditions = conditions_of(loaded).reset_index()
    summary = conditions.reindex(columns=SUMMARY_COLUMNS).assign(
        view="clean", measure="test_accuracy", mean=range(len(conditions)), sem=1.0, n_seeds=10
    )
    cells = compare(summary, runs_in_print(conditions), printed)
    assert list(cells.columns) == COLUMNS
    found = cells[(cells["metric"] == "test_accuracy") & (cells["verdict"] != NOT_RUN)]
    assert set(found["condition"]) == in_print
    ours = summary.set_index(["dataset", "network", "condition"])["mean"]
    for row in found.itertuples():
        assert row.ours == ours[row.dataset, row.network, row.condition]
        assert row.control == loaded.controls[row.condition]
    of_radius = cells[(cells["rho"] == 0.25) & (cells["metric"] == "test_accuracy")]
    assert (of_radius["verdict"] == NOT_RUN).sum() == missing
