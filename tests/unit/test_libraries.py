"""Networks of torchvision and timm by name: built, drawn by seed, measured, and what is refused."""

import copy
import socket
import subprocess
import warnings
from pathlib import Path

import pytest
import timm
import torch
import yaml
from sharpness_cases import gradient, randomise
from study_cases import BASE, refusal, study
from tools import run_tool
from torch import nn
from torchvision import models

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.jobs.code_version import version_of
from minimascope.models import load_model, save_model
from minimascope.networks import NetworkSpec, build, check_logits, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.sharpness.hessian import loss_hessian
from minimascope.sharpness.objective import Objective
from minimascope.study.loading import deep_merge

# Small ones of several families, with an option or none, and the shape of an input.
SMALL = {
    "timm:test_resnet": ({"stem_width": 8}, (1, 32, 32)),
    "timm:test_vit": ({"patch_size": 8}, (3, 32, 32)),
    "timm:test_convnext": ({}, (2, 32, 48)),
    "timm:test_efficientnet": ({}, (3, 32, 32)),
    "torchvision:squeezenet1_1": ({}, (3, 32, 32)),
    "torchvision:mobilenet_v3_small": ({"width_mult": 0.25}, (3, 32, 32)),
}
# Of the sizes that are used, for a trial.
LARGE = {
    "timm:resnet18": ({}, (1, 32, 32)),
    "timm:vit_tiny_patch16_224": ({"patch_size": 8, "depth": 3}, (3, 32, 32)),
    "timm:convnext_atto": ({}, (3, 32, 32)),
    "timm:efficientnet_b0": ({}, (3, 32, 32)),
    "timm:mobilenetv3_small_050": ({}, (3, 32, 32)),
    "timm:mixer_s32_224": ({}, (3, 64, 64)),
    "timm:swin_tiny_patch4_window7_224": ({"window_size": 4}, (3, 32, 32)),
    "torchvision:resnet18": ({}, (3, 32, 32)),
    "torchvision:resnet50": ({}, (3, 32, 32)),
    "torchvision:densenet121": ({}, (3, 32, 32)),
    "torchvision:vit_b_32": ({}, (3, 32, 32)),
    "torchvision:swin_t": ({}, (3, 32, 32)),
}
MEASURED = [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]


def spec(name: str, classes: int = 4, dropout: float = 0.0, **others) -> NetworkSpec:
    options, (channels, *size) = (SMALL | LARGE)[name]
    given = {"options": options, "dropout": dropout} | others
    return NetworkSpec(name, channels, tuple(size), classes, **given)


def pictures(name: str, n: int) -> Split:
    draws = torch.Generator().manual_seed(0)
    shape = (n, *(SMALL | LARGE)[name][1])
    inputs = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draws)
    return Split(inputs, torch.randint(0, 4, (n,), generator=draws))


def message(**fields) -> str:
    """Return the one line with which a network of these settings is refused."""
    settings = {"channels": 3, "input_size": (32, 32), "classes": 4} | fields
    with pytest.raises(InputError) as caught:
        build(NetworkSpec(**settings))
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- built as the library builds them ---------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_the_library_s_own_for_the_classes_and_inputs_of_the_data(name, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("something was to be downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    library, _, plain = name.partition(":")
    options, (channels, *size) = SMALL[name]
    if library == "timm":
        sizes = {"in_chans": channels} | ({"img_size": size} if "vit" in name else {})
        expected = timm.create_model(plain, num_classes=4, **sizes, **options)
    else:
        expected = models.get_model(plain, num_classes=4, **options)
    network = initialise(spec(name), seed=0)
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    assert shapes == {key: value.shape for key, value in expected.state_dict().items()}
    check_logits(network, spec(name))


@pytest.mark.parametrize("name", SMALL)
def test_weights_are_drawn_by_the_seed_alone(name):
    torch.manual_seed(1)
    first = initialise(spec(name), seed=0).state_dict()
    torch.manual_seed(2)
    again = initialise(spec(name, dropout=0.25), seed=0).state_dict()
    other = initialise(spec(name), seed=1).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_saved_network_computes_the_same_when_it_is_read(tmp_path):
    name = "timm:test_vit"
    model = NormalisedInput(initialise(spec(name), 0), [0.5], [0.25]).eval()
    path = tmp_path / "model.safetensors"
    save_model(path, model, spec(name), {"mean": [0.5], "std": [0.25]})
    read, kept, _ = load_model(path, torch.device("cpu"))
    inputs = pictures(name, 3).inputs
    assert kept == spec(name)
    assert torch.equal(read(inputs), model(inputs))


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("timm:test_vit", {0.3}),
        ("torchvision:squeezenet1_1", {0.3}),
        # The classifier's, and that of whole blocks, which the network has by default.
        ("torchvision:mobilenet_v3_small", {0.3}),
    ],
)
def test_dropout_is_that_of_the_study_also_where_it_is_zero(name, rates):
    def dropouts(share: float) -> set[float]:
        network = build(spec(name, dropout=share))
        return {m.p for m in network.modules() if isinstance(m, nn.Dropout) and m.p}

    assert dropouts(0.3) == rates
    assert dropouts(0.0) == set()


# --- measured like ours -----------------------------------------------------------------------


@pytest.mark.parametrize("name", MEASURED)
def test_second_derivatives_are_the_finite_differences_of_the_gradient(name):
    split = pictures(name, 3)
    model = NormalisedInput(initialise(spec(name), 0), [0.5], [0.25])
    model = randomise(model, pictures(name, 16).inputs).double()
    parameters = list(model.parameters())
    draws = torch.Generator().manual_seed(1)
    parts = [
        torch.randn(p.shape, dtype=torch.float64, generator=draws) * p.std() for p in parameters
    ]
    vector = torch.cat([part.reshape(-1) for part in parts]).nan_to_num()
    # Few of the kinks of ReLU are as close.
    step, moved = 1e-8, []
    for sign in (1, -1):
        shifted = copy.deepcopy(model)
        nn.utils.vector_to_parameters(
            nn.utils.parameters_to_vector(parameters) + sign * step * vector, shifted.parameters()
        )
        moved.append(gradient(shifted, split))
    expected = (moved[0] - moved[1]) / (2 * step)
    product = loss_hessian(model, Objective(split)) @ vector
    assert expected.norm() > 0
    assert (product - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("name", MEASURED)
def test_a_network_computes_the_same_twice_and_for_each_input_alone(name):
    model = NormalisedInput(initialise(spec(name), 0), [0.5], [0.25]).double().eval()
    inputs = pictures(name, 4).inputs
    whole = model(inputs)
    assert torch.equal(whole, model(inputs))
    torch.testing.assert_close(torch.cat([model(half) for half in inputs.split(2)]), whole)


# --- refused in one line ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"architecture": "torchvision:resnet5"},
            "torchvision:resnet5: torchvision has no classifier 'resnet5'; did you mean"
            " 'resnet50'?",
        ),
        (
            {"architecture": "timm:resnet18.a1_in1k"},
            "timm:resnet18.a1_in1k: 'a1_in1k' stands for weights that timm would download; write"
            " timm:resnet18, and name a file of weights under weights",
        ),
        (
            {"architecture": "timm:hf-hub:someone/net"},
            "timm:hf-hub:someone/net: timm has no classifier 'hf-hub:someone/net';",
        ),
        (
            {"architecture": "timm:resnet18", "options": {"pretrained": True}},
            "timm:resnet18: pretrained is no option; name a file of weights under weights",
        ),
        (
            {"architecture": "timm:resnet18", "options": {"stem_widt": 3}},
            "timm:resnet18: unknown option 'stem_widt'; did you mean 'stem_width'?",
        ),
        (
            {"architecture": "torchvision:mobilenet_v3_small", "options": {"widthmult": 3}},
            "torchvision:mobilenet_v3_small: unknown option 'widthmult'; did you mean"
            " 'width_mult'?",
        ),
        (
            {"architecture": "timm:resnet18", "options": {"stem_type": 3}},
            "timm:resnet18: cannot be built with drop_rate: 0.0, stem_type: 3 (",
        ),
        (
            {"architecture": "timm:resnet18", "width": 0.5},
            "timm:resnet18: width 0.5 is for this project's own networks; leave",
        ),
        (
            {"architecture": "torchvision:resnet18", "dropout": 0.5},
            "torchvision:resnet18: has no dropout of its own; set training.dropout to 0",
        ),
        (
            {"architecture": "torchvision:resnet18", "channels": 1},
            "torchvision:resnet18: torchvision's networks take 3 channels, the inputs have 1; use a"
            " network of timm, such as timm:resnet18",
        ),
    ],
    ids=lambda value: value["architecture"] if isinstance(value, dict) else "",
)
def test_a_network_that_cannot_be_built_is_refused(fields, line):
    assert message(**fields).startswith(line)


def test_inputs_that_are_too_small_are_refused():
    small = NetworkSpec("timm:test_vit", 1, (8, 8), 4)
    with pytest.raises(InputError, match=r"^timm:test_vit: cannot take inputs of 1 × 8 × 8 \("):
        check_logits(initialise(small, 0), small)


def test_a_network_with_further_outputs_in_training_is_refused_with_the_remedy():
    class TwoHeaded(nn.Linear):
        def forward(self, inputs):
            logits = super().forward(inputs.flatten(1))
            return (logits, logits) if self.training else logits

    network, asked = TwoHeaded(4, 3), NetworkSpec("mine", 1, (2, 2), 3)
    with pytest.raises(InputError, match="in training it returns tuple for two inputs, not logits"):
        check_logits(network, asked)
    assert network.training


@pytest.mark.slow
def test_auxiliary_outputs_are_left_out_by_an_option():
    asked = NetworkSpec("torchvision:googlenet", 3, (64, 64), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        with pytest.raises(InputError, match=r"GoogLeNetOutputs .* aux_logits: false"):
            check_logits(initialise(asked, 0), asked)
        without = NetworkSpec(**vars(asked) | {"options": {"aux_logits": False}})
        check_logits(initialise(without, 0), without)


# --- in a study -------------------------------------------------------------------------------


def test_a_study_names_a_network_of_a_library_with_options_that_are_checked_later():
    networks = {"resnet": {"architecture": "timm:resnet18", "stem_type": "deep"}}
    found = study(networks=networks | {"vgg": {"architecture": "torchvision:vgg11"}})
    assert found.network_spec("resnet")["stem_type"] == "deep"
    assert found.network_spec("resnet")["width"] == 1.0


def test_a_library_that_is_not_known_is_refused_while_planning():
    line = refusal(networks={"resnet": {"architecture": "keras:resnet18"}})
    assert line.startswith("networks.resnet.architecture: unknown name 'keras:resnet18'; ")


def checked(folder: Path, **network) -> subprocess.CompletedProcess[str]:
    """Return what `make check` says of a study of the digits with this network."""
    config = deep_merge(BASE, {"networks": {"resnet": network}})
    config |= {"datasets": {"small": {"source": "digits", "image_size": 32}}}
    del config["networks"]["vgg"]
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return run_tool("check_study", path, "--errors", cwd=folder)


def test_make_check_builds_the_networks_of_libraries_for_their_data(tmp_path):
    right = checked(tmp_path, architecture="timm:test_vit", patch_size=8)
    assert (right.returncode, right.stdout + right.stderr) == (0, "")
    wrong = checked(tmp_path, architecture="torchvision:resnet18")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(
        "error: networks.resnet on small: torchvision:resnet18: torchvision's networks take 3"
    )
    assert wrong.stderr.count("\n") == 1


def test_the_version_of_a_library_counts_for_its_networks():
    assert version_of("timm") == timm.__version__
    with pytest.raises(InputError, match="no_such_package: is not installed"):
        version_of("no_such_package")
