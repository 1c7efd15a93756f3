"""Norms, shortcuts and depths of networks, and conditions that differ in their norm."""

import math
from dataclasses import replace
from inspect import signature

import pytest
import torch
from networks_cases import copy_by_order, parameter_count, randomise
from study_cases import options, refusal, study
from torch import nn
from torch.nn import functional as F
from training_cases import image_data

from minimascope import registry
from minimascope.batchnorm import NormLayer
from minimascope.data import digits
from minimascope.initial_weights import with_norm
from minimascope.networks import NetworkSpec, build, count_weight_layers, initialise, norm_of
from minimascope.networks.normalised import NormalisedInput
from minimascope.schedule import Schedule
from minimascope.sharpness.directions import random_direction
from minimascope.sharpness.published import rescaled_copy
from minimascope.study.conditions import condition_rows
from minimascope.study.published import compared_pairs
from minimascope.study.remarks import remarks
from minimascope.training import TrainingSpec, train

RESNET = NetworkSpec("resnet18", 1, (8, 8), 3, width=0.25)
VGG = NetworkSpec("vgg19", 1, (32, 32), 3, width=0.125)
WITHOUT_SHORTCUTS = {"blocks": [2, 2, 2, 2], "shortcuts": False}
CIFAR = {"channels": 3, "input_size": (32, 32), "classes": 10}


def with_options(spec: NetworkSpec, **options) -> NetworkSpec:
    return replace(spec, options=options)


def weights(model: nn.Module) -> list[torch.Tensor]:
    """Return the weights of all layers in their order, the head last."""
    return [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


# --- what is matched ------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [RESNET, VGG], ids=["resnet18", "vgg19"])
def test_all_norms_start_from_the_same_draws(spec):
    batch, group, none = (
        weights(initialise(with_options(spec, norm=norm), seed=3))
        for norm in ("batch", "group", "none")
    )
    for own, other in zip(batch, group, strict=True):
        assert torch.equal(own, other)
    *layers, head = zip(batch, none, strict=True)
    assert torch.equal(*head)
    for own, other in layers:
        torch.testing.assert_close(other, own * math.sqrt(6), rtol=1e-6, atol=0)
        # He's initialisation: uniform on ±√(6 / fan-in).
        bound = math.sqrt(6 / own[0].numel())
        assert other.abs().max() <= bound * (1 + 1e-6)
        assert other.abs().max() > 0.9 * bound


def test_a_condition_with_a_norm_starts_as_the_network_that_has_it():
    model = NormalisedInput(initialise(RESNET, 3), [0.5], [0.5])
    other, spec = with_norm(model, RESNET, "group", seed=3)
    assert spec.options == {"norm": "group"}
    expected = initialise(with_options(RESNET, norm="group"), 3).state_dict()
    assert other.network.state_dict().keys() == expected.keys()
    assert all(torch.equal(other.network.state_dict()[key], expected[key]) for key in expected)


# --- what the networks are ------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["group", "none"])
def test_a_network_with_another_norm_has_no_batchnorm(norm):
    for spec in (RESNET, VGG):
        model = initialise(with_options(spec, norm=norm), 0)
        assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
        inputs = torch.rand(4, 1, *spec.input_size, generator=torch.Generator().manual_seed(0))
        # Outputs of an input are its own, whatever else is in the batch.
        torch.testing.assert_close(model.train()(inputs)[:1], model.eval()(inputs[:1]))


def test_groups_have_sixteen_channels_or_about_as_many():
    model = initialise(with_options(RESNET, norm="group"), 0)
    groups = {m.num_channels: m.num_groups for m in model.modules() if isinstance(m, nn.GroupNorm)}
    assert groups == {16: 1, 32: 2, 64: 4, 128: 8}
    narrow = initialise(with_options(replace(RESNET, width=0.15), norm="group"), 0)
    for module in narrow.modules():
        if isinstance(module, nn.GroupNorm):
            size, count = module.num_channels, module.num_groups
            assert size % count == 0
            assert count == 1 or size // count >= 16


def test_without_a_norm_blocks_begin_as_their_shortcuts():
    model = initialise(with_options(RESNET, norm="none"), 0).eval()
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    stem, block = model.body[0], model.body[2]
    hidden = F.relu(stem(images))
    assert torch.equal(model.body[1](stem(images)), hidden)
    assert torch.equal(block(hidden), hidden)
    with torch.no_grad():
        block.residual[-1].factor.fill_(0.5)
    first, _, second, _ = block.residual
    expected = F.relu(hidden + 0.5 * second(F.relu(first(hidden))))
    torch.testing.assert_close(block(hidden), expected)


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_networks_with_a_choice_of_norm_are_those_that_take_one(name):
    norm = signature(registry.NETWORKS[name].load()).parameters.get("norm")
    assert (norm is not None) == (name in registry.WITH_NORMS)
    assert norm is None or norm.default == registry.USUAL_NORM


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_networks_with_batchnorm_are_known_without_building_them(name):
    pytest.importorskip("torchvision")
    channels, size = (3, 32) if name.startswith("pretrained_") and "cnn" not in name else (1, 64)
    given = options(name) | ({"blocks": [1]} if name == "resnet" else {})
    with torch.device("meta"):
        model = build(NetworkSpec(name, channels, (size, size), 3, options=given))
    has_norm = any(isinstance(module, NormLayer) for module in model.modules())
    assert has_norm == (name in registry.WITH_BATCHNORM | registry.WITH_NORMS)


def test_a_network_tells_its_norm():
    assert norm_of(RESNET) == "batch"
    assert norm_of(with_options(VGG, norm="none")) == "none"
    assert norm_of(NetworkSpec("vit", 1, (8, 8), 3)) is None


def test_blocks_of_each_stage_make_resnet34():
    models = pytest.importorskip("torchvision.models")
    other = models.resnet34(num_classes=10)
    other.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    other.maxpool = nn.Identity()
    ours = build(NetworkSpec("resnet", **CIFAR, options={"blocks": [3, 4, 6, 3]}))
    other, ours = randomise(other).double().eval(), ours.double().eval()
    copy_by_order(other, ours)
    inputs = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs), other(inputs), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("blocks", "depth"), [(3, 20), (9, 56)])
def test_three_stages_of_a_quarter_are_cifars_resnets(blocks, depth):
    spec = NetworkSpec("resnet", **CIFAR, width=0.25, options={"blocks": [blocks] * 3})
    model = build(spec)
    # He et al. count no shortcuts; theirs have no weights, our two have a convolution and a norm.
    assert count_weight_layers(model) == depth + 2
    convolutions = 3 * 16 * 9 + sum(
        9 * size * (size * (2 * blocks - 1) + before)
        for before, size in ((16, 16), (16, 32), (32, 64))
    )
    norms = 2 * (16 + 2 * blocks * (16 + 32 + 64))
    shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert parameter_count(model) == convolutions + norms + shortcuts + 64 * 10 + 10


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_without_shortcuts_layers_follow_each_other(norm):
    spec = replace(RESNET, architecture="resnet", options=WITHOUT_SHORTCUTS | {"norm": norm})
    model = initialise(spec, 0).double().eval()
    assert count_weight_layers(model) == 18
    inputs = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    hidden = inputs
    for module in model.body.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm):
            follows_a_layer = isinstance(module, nn.Conv2d) and hidden is not inputs
            hidden = module(F.relu(hidden) if follows_a_layer else hidden)
    expected = model.head(F.relu(hidden).mean((2, 3)))
    torch.testing.assert_close(model(inputs), expected)


@pytest.mark.parametrize("norm", ["group", "none"])
def test_networks_without_batchnorm_learn(norm):
    spec = NetworkSpec("resnet18", 1, (8, 8), 10, width=0.125, options={"norm": norm})
    data = digits.load(None, train_size=500, split_seed=0, image_size=8)
    optimizer = {"name": "sgd", "lr": 0.02, "momentum": 0.9}
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5])
    history = train(model, data, TrainingSpec(15, 50, optimizer, Schedule("cosine")), 0)
    assert history[-1]["test_accuracy"] > 0.85


def test_a_batch_of_one_needs_no_batchnorm():
    model = NormalisedInput(initialise(with_options(RESNET, norm="group"), 0), [0.5], [0.5])
    training = TrainingSpec(1, 23, {"name": "sgd", "lr": 0.01})
    assert math.isfinite(train(model, image_data(), training, 0)[0]["train_loss"])


# --- what measures make of them -------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["group", "none"])
def test_landscapes_move_filters_and_leave_norms_biases_and_factors(norm):
    model = initialise(with_options(RESNET, norm=norm), 0)
    direction = random_direction(model, torch.Generator().manual_seed(0))
    for name, parameter in model.named_parameters():
        step = direction[name]
        if parameter.ndim == 1:
            assert not step.any(), name
        else:
            lengths = (each.flatten(1).norm(dim=1) for each in (step, parameter))
            torch.testing.assert_close(*lengths, msg=name)


@pytest.mark.parametrize("norm", ["group", "none"])
def test_the_published_rescaling_of_vgg_keeps_the_function_under_any_norm(norm):
    model = initialise(with_options(VGG, norm=norm), 0).double().eval()
    inputs = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        deviations = model.features(inputs).std(0)
        kept = deviations > 0
        assert kept.any()
        other, _ = rescaled_copy(model, model.head, deviations)
        scaled = other.features(inputs)[:, kept]
        torch.testing.assert_close(scaled.std(0), torch.ones_like(scaled[0]))
        # Features that do not vary are those of units that are off.
        torch.testing.assert_close(other(inputs), model(inputs))


# --- what a study may say -------------------------------------------------------------------------


def test_only_batchnorm_is_set_beside_published_values():
    loaded = study(conditions={"none": {"norm": "none"}, "batch": {"norm": "batch"}})
    assert ("large", "resnet") in compared_pairs(loaded)
    rows = [row for row in condition_rows(loaded) if row["dataset"] == "large"]
    beside = {row["condition"]: row["published_dataset"] for row in rows}
    assert beside == dict.fromkeys(("baseline", "sam", "batch"), "cifar10") | {"none": None}
    assert compared_pairs(study(training={"norm": "group"})) == []


def test_a_resnet_of_any_depth_is_not_the_published_one():
    same = {"architecture": "resnet", "blocks": [2, 2, 2, 2]}
    found = compared_pairs(study(networks={"resnet": same}))
    assert found == compared_pairs(study())[1:]


def test_a_condition_has_its_own_norm_or_that_of_the_network():
    loaded = study(training={"norm": "group"}, conditions={"none": {"norm": "none"}})
    assert loaded.norm("large", "resnet", "baseline") == "group"
    assert loaded.norm("large", "vgg", "initial") == "batch"
    assert study(networks={"mlp": {"architecture": "mlp"}}).norm("large", "mlp", "sam") is None
    assert loaded.norm("large", "vgg", "none") == "none"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"networks": {"vgg": {"architecture": "vit"}}},
            "conditions.none.norm: vgg (vit) has no norm to choose; leave the norm or the"
            " network out",
        ),
        (
            {"networks": {"resnet": {"weights": "mine.pt"}}},
            "conditions.none.norm: the weights of resnet are those of a file, with the norm that"
            " they were trained with; leave the norm out, or draw the weights",
        ),
        (
            {"sharpness": {"on": ["final", "initial"]}},
            "sharpness.on: the initial weights of a seed are not what conditions with weights or a"
            " norm of their own start from; leave out initial",
        ),
        (
            {"sharpness": {"interpolation": {"lines": [["baseline", "none"]]}}},
            "sharpness.interpolation.lines: baseline and none differ in their norm, so they are"
            " different networks; name conditions of one norm",
        ),
    ],
)
def test_what_no_condition_with_a_norm_can_have_is_refused(changes, line):
    assert refusal(conditions={"none": {"norm": "none"}}, **changes) == line


def test_weights_of_a_network_with_another_norm_are_refused():
    path = "results/{study}/models/{{dataset}}/{{network}}/baseline/seed{{seed}}/model.safetensors"
    weights = path.format(study=study().name)
    assert refusal(conditions={"next": {"norm": "none", "weights": weights}}) == (
        "conditions.next.weights: those of baseline are of a network with the norm batch, here it"
        " is none; train both with one norm"
    )
    assert study(conditions={"next": {"weights": weights}}).norm("large", "vgg", "next") == "batch"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"training": {"norm": "group"}}, "training.norm"),
        (
            {"datasets": {"small": {"training": {"norm": "group"}}}},
            "datasets.small.training.norm",
        ),
        ({"conditions": {"sam": {"norm": "group"}}}, "conditions.sam.norm"),
        (
            {"datasets": {"small": {"conditions": {"sam": {"norm": "group"}}}}},
            "datasets.small.conditions.sam.norm",
        ),
        (
            {"sweeps": {"norms": {"axes": {"training.norm": ["group"]}}}},
            "sweeps.norms.axes.training.norm",
        ),
    ],
)
def test_a_norm_that_is_refused_is_told_by_the_key_that_gives_it(changes, key):
    networks = {"vit": {"architecture": "vit"}}
    line = f"{key}: vit (vit) has no norm to choose; leave the norm or the network out"
    assert refusal(networks=networks, **changes) == line


def test_a_norm_that_a_network_has_anyway_is_no_other_condition():
    conditions = {"normed": {"norm": "batch"}, "free": {"norm": "none"}}
    said = [line for line in remarks(study(conditions=conditions)) if "changes nothing" in line]
    assert len(said) == 1
    assert "conditions.normed: changes nothing of baseline" in said[0]
