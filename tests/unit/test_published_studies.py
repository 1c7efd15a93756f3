"""The studies that come with the workflow have the papers' settings and names."""

import io

import pandas as pd
import pytest
from agreement_cases import read_published
from study_cases import RESOURCES, ROOT, published_study, study

from minimascope.analysis.agreement import COLUMNS, NOT_RUN, compare, published_runs
from minimascope.analysis.rank_correlation import rank_correlation
from minimascope.analysis.summary import SUMMARY_COLUMNS
from minimascope.study import products
from minimascope.study.conditions import condition_rows
from minimascope.study.corruptions import corrupted_set, corruption_names
from minimascope.study.published import compared_kinds, published_dataset
from minimascope.study.study import Study
from minimascope.study.toys import toy_jobs

PUBLISHED = [RESOURCES / "published" / f"{name}.csv" for name in ("deep_models", "sam_rho_sweep")]
STUDIES = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))
CONDITIONS = [
    f"{name}{sam}" for name in ("baseline", "augmentation", "weight_decay") for sam in ("", "_sam")
]


def runs(loaded: Study) -> int:
    return len(loaded.pairs) * len(loaded.conditions) * len(loaded.seeds)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_every_study_can_be_loaded_under_both_protocols(name, protocol):
    loaded = published_study(name, protocol=protocol)
    assert len(loaded.training) == len(loaded.config["datasets"]) * len(loaded.conditions)
    assert set(loaded.base_conditions.values()) <= set(loaded.config["conditions"])


@pytest.mark.parametrize("name", ["image_folder", "audio_folder"])
def test_studies_of_own_data_are_small_and_about_nothing_published(name):
    loaded = published_study(name)
    assert runs(loaded) == 24
    assert all(spec["width"] <= 0.125 for spec in loaded.config["networks"].values())
    (dataset,) = loaded.config["datasets"]
    assert all(most <= 1000 for most in loaded.part_spec(dataset).values())
    # All families are measured in one job for each condition.
    assert loaded.sharpness_jobs == {"sharpness": ["forward", "perturbation"]}
    assert not any(loaded.sharpness[dataset][family]["published"] for family in loaded.families)
    assert toy_jobs(loaded) == []
    assert compared_kinds(loaded) == set()
    assert len(corruption_names(loaded, dataset)) <= 4


@pytest.mark.parametrize(("name", "evaluations"), [("image_folder", 5), ("audio_folder", 7)])
def test_studies_of_own_data_have_conditions_enough_for_a_sure_correlation(name, evaluations):
    order = range(len(published_study(name).conditions))
    measures = 3
    # The first step of Holm's correction, over all correlations of a network.
    assert rank_correlation(order, order)["p_value"] * measures * evaluations <= 0.05


@pytest.mark.parametrize("name", ["function_centric", "geometric_reappraisal"])
def test_the_function_centric_runs_are_those_of_the_papers(name):
    loaded = published_study(name)
    per_dataset = pd.Series([dataset for dataset, _ in loaded.pairs]).value_counts()
    trained = (per_dataset * len(loaded.conditions) * len(loaded.seeds)).to_dict()
    assert trained == {"cifar10": 180, "cifar100": 180, "tiny_imagenet": 120}
    assert runs(loaded) == 480
    assert sorted(loaded.conditions) == sorted(CONDITIONS)
    assert loaded.seeds == list(range(10))
    for dataset, condition in loaded.training:
        spec = loaded.training[dataset, condition]
        assert (spec["epochs"], spec["batch_size"], spec["label_noise"]) == (100, 256, 0)
        sam = spec["sam"] and {key: value for key, value in spec["sam"].items() if value}
        assert sam == ({"rho": 0.05} if condition.endswith("_sam") else None)
        decayed = condition.startswith("weight_decay")
        assert spec["optimizer"] == {
            "name": "sgd",
            "momentum": 0.9,
            "nesterov": False,
            "lr": 0.01 if dataset == "cifar100" else 0.001,
            "weight_decay": 5e-4 if decayed else 0.0,
        }
        assert (spec["augment"] is not None) == condition.startswith("augmentation")


def test_the_function_centric_study_augments_and_normalises_as_the_papers():
    loaded = published_study("function_centric")
    crop = {"crop_padding": 4, "crop_fill": 128, "horizontal_flip": 0.5, "resized_crop": None}
    for name in ("augmentation", "augmentation_sam"):
        for dataset in ("cifar10", "cifar100"):
            assert crop.items() <= loaded.augmentation(dataset, name).items()
        tiny = loaded.augmentation("tiny_imagenet", name)
        assert (tiny["resized_crop"], tiny["crop_padding"]) == (0.08, 0)
        assert tiny["horizontal_flip"] == 0.5
    # Which is 0.5 for images, as published.
    assert loaded.input_spec("cifar100") == {"mean": None, "std": None}
    assert loaded.input_spec("tiny_imagenet")["mean"] == [0.485, 0.456, 0.406]
    assert [len(corruption_names(loaded, name)) for name in loaded.config["datasets"]] == [
        19,
        19,
        0,
    ]
    assert loaded.sharpness["cifar100"]["forward"]["published_share"] == 0.2
    assert loaded.sharpness["cifar10"]["forward"]["published_share"] == 1
    assert loaded.sharpness["tiny_imagenet"]["perturbation"]["published_share"] == 0.5


def test_only_the_published_protocol_swings_the_rate_and_augments_test_images():
    corrected = published_study("function_centric")
    published = published_study("function_centric", protocol="published")
    assert published.name == "function_centric-published"
    for condition in CONDITIONS:
        schedules = [
            loaded.training["cifar100", condition]["schedule"] for loaded in (corrected, published)
        ]
        assert schedules[0] == {"name": "cosine", "per": "epoch", "warmup": 0, "period": None}
        assert schedules[1] == {"name": "cosine", "per": "batch", "warmup": 0, "period": 100}
        assert corrected.training["cifar10", condition]["schedule"]["name"] == "constant"
        augments = condition.startswith("augmentation")
        assert (published.test_augmentation("tiny_imagenet", condition) is not None) == augments
        assert published.test_augmentation("cifar10", condition) is None
        assert corrected.test_augmentation("tiny_imagenet", condition) is None


def test_the_sweep_of_sam_s_radius_is_the_paper_s():
    loaded = published_study("sam_rho_sweep")
    radii = [loaded.training["cifar10", name]["sam"] for name in loaded.conditions]
    assert sorted(sam["rho"] for sam in radii if sam) == [0.0025, 0.005, 0.025, 0.05, 0.25, 0.5]
    assert radii.count(None) == 1
    assert runs(loaded) == 70


def test_the_minima_are_240_of_each_network():
    loaded = published_study("minima_240")
    specs = {name: loaded.training["cifar10", name] for name in loaded.conditions}
    cells = {
        (loaded.base_conditions[name], spec["batch_size"], spec["optimizer"]["lr"])
        for name, spec in specs.items()
    }
    expected = {(c, batch, lr) for c in CONDITIONS for batch in (128, 256) for lr in (0.001, 0.01)}
    assert cells == expected
    assert len(loaded.conditions) == 24
    assert len(loaded.seeds) == 10
    assert loaded.pairs == [("cifar10", "resnet18"), ("cifar10", "vgg19")]
    assert "minima" in products.figures(loaded)


def test_the_minima_are_measured_as_the_papers_figure_shows_them():
    loaded = published_study("minima_240")
    assert loaded.families == ["forward", "perturbation"]
    assert len(corruption_names(loaded, "cifar10")) == 19
    assert corrupted_set(loaded, "cifar10") == "cifar10_c"
    assert loaded.config["analysis"]["figure_view"] == "augmented"
    for condition in loaded.conditions:
        augments = condition.startswith("augmentation")
        views = ["clean", "augmented"] if augments else ["clean"]
        assert loaded.views("cifar10", condition) == views


def test_random_labels_go_from_none_to_all_in_steps_of_a_tenth():
    loaded = published_study("random_labels")
    for dataset in ("cifar10", "cifar100"):
        noise = [loaded.label_noise(dataset, name) for name in loaded.conditions]
        assert sorted(noise) == pytest.approx([step / 10 for step in range(11)])
    assert runs(loaded) == 66


# Conditions as a table, and which of them are published


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
        datasets={"small": {"published_as": "cifar100"}},
    )


def test_conditions_are_told_apart_by_condition_and_settings():
    rows = conditions_of(swept())
    assert len(rows) == 2 * 2 * (3 + 2 + 1 + 2)
    of = rows.reset_index([0, 1]).query("dataset == 'large' and network == 'resnet'")
    assert set(of.index[of["base_condition"] != of.index]) == {
        f"sam-{cell}"
        for cell in ("rho0.05", "rho0.5", "rho0.3-batch_size20", "batch_size10", "batch_size20")
    }
    assert set(of["base_condition"][3:]) == {"sam"}
    # Nothing but the radius, or nothing at all, sets these apart from their base condition.
    unlike = {"sam-rho0.3-batch_size20", "sam-batch_size20"}
    assert set(of.index[~of["like_base_condition"]]) == unlike
    assert of["sam.rho"].dropna().to_dict()["sam-rho0.3-batch_size20"] == 0.3
    assert list(of.index[of["sam.rho"].isna()]) == ["baseline", "augmentation"]
    assert list(of.index[of["augmented"]]) == ["augmentation"]
    assert of.loc["augmentation", "augment.crop_padding"] == 2
    assert set(of["optimizer.lr"]) == {0.1}


def test_conditions_have_the_published_names_of_data_sets_and_architectures():
    rows = conditions_of(swept()).groupby(["dataset", "network"]).first()
    names = rows[["published_dataset", "architecture", "pretrained"]]
    assert list(names.itertuples(name=None)) == [
        (("large", "resnet"), "cifar10", "resnet18", False),
        (("large", "vgg"), "cifar10", "vgg19_bn", True),
        (("small", "resnet"), "cifar100", "resnet18", False),
        (("small", "vgg"), "cifar100", "vgg19_bn", True),
    ]
    assert published_dataset(study(), "small") is None


def test_cells_of_a_radius_are_published_but_not_those_of_other_settings_or_repeats():
    kept = published_runs(conditions_of(swept()).reset_index())
    for _, group in kept.groupby(["dataset", "network"]):
        # sam-rho0.05 and sam-batch_size10 repeat their base condition.
        assert set(group["condition"]) == {"baseline", "augmentation", "sam", "sam-rho0.5"}
    rho = kept.groupby("condition")["rho"].first()
    assert rho.dropna().to_dict() == {"sam": 0.05, "sam-rho0.5": 0.5}
    kept = published_runs(conditions_of(study(conditions={"sam": {"sam": None}})).reset_index())
    assert set(kept["dataset"]) == {"large"}  # the other one is not published
    assert kept["rho"].isna().all()


@pytest.mark.parametrize(
    ("name", "expected", "missing"),
    [("sam_rho_sweep", {"baseline", "baseline_sam", "baseline_sam-rho0.25"}, 0),
     ("function_centric", {*CONDITIONS}, 1)],
)  # fmt: skip
def test_published_studies_can_be_compared_with_what_is_published(name, expected, missing):
    loaded = published_study(name)
    published = pd.concat(map(read_published, PUBLISHED))
    conditions = conditions_of(loaded).reset_index()
    summary = conditions.reindex(columns=SUMMARY_COLUMNS).assign(
        view="clean", measure="test_accuracy", mean=range(len(conditions)), sem=1.0, n_seeds=10
    )
    cells = compare(summary, published_runs(conditions), published)
    assert list(cells.columns) == COLUMNS
    found = cells[(cells["metric"] == "test_accuracy") & (cells["verdict"] != NOT_RUN)]
    assert set(found["condition"]) == expected
    ours = summary.set_index(["dataset", "network", "condition"])["mean"]
    for row in found.itertuples():
        assert row.ours == ours[row.dataset, row.network, row.condition]
        assert row.published_condition == loaded.base_conditions[row.condition]
    of_radius = cells[(cells["rho"] == 0.25) & (cells["metric"] == "test_accuracy")]
    assert (of_radius["verdict"] == NOT_RUN).sum() == missing
