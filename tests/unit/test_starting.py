"""Networks that start from weights in a file, and studies that say so."""

from pathlib import Path

import pytest
import torch
from study_cases import refusal, study

from minimascope.data import digits
from minimascope.data.part import part_of
from minimascope.errors import InputError
from minimascope.initial_weights import save_initial
from minimascope.models import load_model
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.starting import DRAWN, KEPT, head_of, start_from
from minimascope.study import products
from minimascope.study.conditions import condition_rows
from minimascope.study.raw_data import missing_files
from minimascope.study.starts import network_start, training_start

SPECS = {
    "resnet18": NetworkSpec("resnet18", 1, (8, 8), 5, width=0.0625),
    "vit": NetworkSpec("vit", 1, (8, 8), 5, width=0.0625, options={"patch_size": 4}),
    "timm:test_vit": NetworkSpec("timm:test_vit", 1, (32, 32), 5),
    # Its head is a convolution.
    "torchvision:squeezenet1_1": NetworkSpec("torchvision:squeezenet1_1", 3, (32, 32), 5),
}
HEADS = {
    "resnet18": {"head.weight", "head.bias"},
    "vit": {"head.weight", "head.bias"},
    "timm:test_vit": {"head.weight", "head.bias"},
    "torchvision:squeezenet1_1": {"classifier.1.weight", "classifier.1.bias"},
}
NAMES = {"dataset": "small", "network": "resnet", "condition": "sam", "seed": 3}
OWN = "results/mine/models/{}/{{network}}/{{condition}}/seed{{seed}}/model.safetensors"


def saved(folder: Path, spec: NetworkSpec, seed: int = 1) -> tuple[Path, dict[str, torch.Tensor]]:
    """Save a network as a training script does, and return its file and weights."""
    state = initialise(spec, seed).state_dict()
    path = folder / "weights.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    return path, state


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the weights that are equal in both."""
    return {
        name
        for name in found
        if name in expected
        and found[name].shape == expected[name].shape
        and torch.equal(found[name], expected[name])
    }


@pytest.mark.parametrize("name", SPECS)
def test_the_head_is_what_depends_on_the_number_of_classes(name):
    assert head_of(SPECS[name]) == HEADS[name]


@pytest.mark.parametrize("name", SPECS)
def test_a_network_starts_from_all_weights_of_a_file(name, tmp_path):
    path, state = saved(tmp_path, SPECS[name])
    network = initialise(SPECS[name], 0)
    assert start_from(network, SPECS[name], path) == KEPT
    assert same(network.state_dict(), state) == set(state)


@pytest.mark.parametrize("name", SPECS)
def test_a_head_for_other_classes_is_drawn_by_the_seed(name, tmp_path):
    path, state = saved(tmp_path, NetworkSpec(**vars(SPECS[name]) | {"classes": 7}))
    network, drawn = (initialise(SPECS[name], 0) for _ in range(2))
    assert start_from(network, SPECS[name], path) == DRAWN
    assert same(network.state_dict(), state) == set(state) - HEADS[name]
    assert same(network.state_dict(), drawn.state_dict()) >= HEADS[name]


def test_a_head_of_the_same_size_is_drawn_where_that_is_wanted(tmp_path):
    path, state = saved(tmp_path, SPECS["vit"])
    network, drawn = (initialise(SPECS["vit"], 0) for _ in range(2))
    assert start_from(network, SPECS["vit"], path, new_head=True) == DRAWN
    assert torch.equal(network.head.weight, drawn.head.weight)
    assert "head.weight" not in same(network.state_dict(), state)


def test_weights_of_another_network_are_refused_with_their_names(tmp_path):
    path, _ = saved(tmp_path, NetworkSpec(**vars(SPECS["resnet18"]) | {"width": 0.125}))
    network = initialise(SPECS["resnet18"], 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(
        InputError, match=r"weights\.pt: does not fit the network \(misshapen: body"
    ):
        start_from(network, SPECS["resnet18"], path)
    assert same(network.state_dict(), before) == set(before)


def test_all_conditions_of_a_seed_start_from_the_file_that_the_network_names(tmp_path):
    dataset = digits.load(None, train_size=100, split_seed=0, image_size=8)
    network = {"architecture": "resnet18", "width": 0.0625, "weights": "x.pt", "new_head": False}
    path, state = saved(tmp_path, SPECS["resnet18"])
    normalize = {"mean": None, "std": None}
    initial = tmp_path / "initial.safetensors"
    save_initial(initial, dataset, "digits", network, normalize, 0, path, None)
    model, _, metadata = load_model(initial, torch.device("cpu"))
    assert metadata["head"] == DRAWN
    assert same(model.network.state_dict(), state) == set(state) - HEADS["resnet18"]


# --- in a study -------------------------------------------------------------------------------


def test_files_of_weights_have_the_names_of_each_run():
    path = "nets/{dataset}-{network}-{seed}.pt"
    found = study(networks={"resnet": {"weights": path}}, conditions={"sam": {"weights": path}})
    assert network_start(found, **NAMES) == "nets/small-resnet-3.pt"
    assert training_start(found, **NAMES) == "nets/small-resnet-3.pt"
    assert training_start(found, **NAMES | {"condition": "baseline"}) is None


def test_files_that_are_neither_there_nor_made_by_the_study_are_told(tmp_path):
    own = {"datasets": {"large": {"training": {"weights": OWN.format("small")}}}}
    assert missing_files(study(**own)) == []
    (other,) = missing_files(study(conditions={"sam": {"weights": "results/first/{seed}.pt"}}))
    assert other == (
        "conditions.sam.weights: results/first/0.pt does not exist; run the study that makes it"
        " first, or name a network of this one"
    )
    (line,) = missing_files(study(networks={"vgg": {"weights": "no.pt"}}))
    assert line.startswith("networks.vgg.weights: data/no.pt does not exist; put the file there,")


def test_conditions_know_the_networks_of_the_study_that_they_start_from():
    found = study(datasets={"large": {"training": {"weights": OWN.format("small")}}})
    rows = {
        (row["dataset"], row["network"], row["condition"]): row for row in condition_rows(found)
    }
    assert rows["large", "vgg", "sam"]["start_dataset"] == "small"
    assert rows["large", "vgg", "sam"]["start_condition"] == "sam"
    assert "start_dataset" not in rows["small", "vgg", "sam"]
    assert "transfer" in products.tables(found)
    assert "transfer" not in products.tables(study())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"networks": {"resnet": {"weights": "{conditon}.pt"}}},
            "networks.resnet.weights: {conditon} stands for nothing here; valid: {dataset},"
            " {network}, {seed}",
        ),
        (
            {"conditions": {"sam": {"weights": "{sed}.pt"}}},
            "conditions.sam.weights: {sed} stands for nothing here; did you mean '{seed}'?",
        ),
        (
            {"conditions": {"sam": {"new_head": True}}},
            "conditions.sam.new_head: does nothing without weights; leave it out",
        ),
        (
            {"conditions": {"sam": {"weights": "~/first.pt"}}},
            "conditions.sam.weights: '~' is not filled in; write ",
        ),
        (
            {"training": {"weights": OWN.format("small")}},
            "training.weights: results/mine/models/small/resnet/baseline/seed0/model.safetensors"
            " would start from itself; name another file",
        ),
        (
            {
                "datasets": {"large": {"training": {"weights": OWN.format("small")}}},
                "sharpness": {"on": ["initial", "final"]},
            },
            "sharpness.on: the initial weights of a seed are not what conditions with weights or"
            " a norm of their own start from; leave out initial",
        ),
    ],
)
def test_starts_that_cannot_be_are_refused(changes, line):
    assert refusal(**changes).startswith(line)


# --- classes ----------------------------------------------------------------------------------


def test_some_classes_of_a_data_set_keep_their_order_and_samples():
    whole = digits.load(None, train_size=300, split_seed=0, image_size=8)
    part = part_of(whole, None, None, classes=["7", "2"])
    assert part.classes == ("2", "7")
    for name in ("train", "test"):
        all_, some = getattr(whole, name), getattr(part, name)
        rows = [i for i, label in enumerate(all_.labels.tolist()) if label in (2, 7)]
        assert torch.equal(some.inputs, all_.inputs[rows])
        assert some.labels.tolist() == [int(all_.labels[row] == 7) for row in rows]


def test_a_class_that_the_data_set_has_not_is_refused():
    whole = digits.load(None, train_size=300, split_seed=0, image_size=8)
    with pytest.raises(InputError, match=r"classes: no class '11'; did you mean '1'"):
        part_of(whole, None, None, classes=["1", "11"])


def test_jobs_of_whole_data_sets_do_not_depend_on_classes():
    assert "classes" not in study().part_spec("small")
    assert study(datasets={"small": {"classes": [1, 2]}}).part_spec("small") == {
        "train": None,
        "test": None,
        "classes": ["1", "2"],
    }


def test_published_corruptions_have_all_classes():
    line = refusal(datasets={"large": {"classes": ["cat", "dog"], "corrupted": "cifar10_c"}})
    assert line.startswith("datasets.large.classes: cifar10_c has all classes of the test split;")
