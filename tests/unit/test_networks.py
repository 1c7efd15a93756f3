import math
from dataclasses import replace

import pytest
import torch
from networks_cases import copy_by_order, parameter_count, randomise
from study_cases import options as options_of
from torch import nn
from torch.nn import functional as F

from minimascope.errors import InputError
from minimascope.models import load_model, save_model
from minimascope.networks import (
    NetworkSpec,
    build,
    count_weight_layers,
    initialise,
)
from minimascope.networks.normalised import NormalisedInput

CIFAR = {"channels": 3, "input_size": (32, 32), "classes": 10}
SMALL = {
    "resnet18": NetworkSpec("resnet18", 1, (8, 10), 10, width=0.125),
    "vgg19": NetworkSpec("vgg19", 1, (32, 32), 10, width=0.0625),
    "vit": NetworkSpec("vit", 1, (8, 5), 10, width=0.125, options={"patch_size": 2}),
    "cnn10": NetworkSpec("cnn10", 1, (16, 20), 10, width=0.125),
    "cnn14": NetworkSpec("cnn14", 1, (32, 40), 10, width=0.0625),
    "crnn": NetworkSpec("crnn", 1, (16, 20), 10, width=0.125),
    "vit_standard": NetworkSpec(
        "vit_standard", 1, (8, 5), 10, width=0.125, options={"patch_size": 2}
    ),
}

LAYERS = {"resnet18": 21, "vgg19": 18, "vit": 26, "cnn10": 10, "cnn14": 14}
LAYERS |= {"crnn": 7, "vit_standard": 26}
LAYERS |= {"pretrained_resnet18": 21, "pretrained_vgg19_bn": 19}


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    torch.manual_seed(0)


@pytest.fixture(params=SMALL)
def spec(request) -> NetworkSpec:
    return SMALL[request.param]


def images(spec: NetworkSpec, n: int = 4, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    shape = (n, spec.channels, *spec.input_size)
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


# --- size ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "channels", "input_size", "classes", "parameters"),
    [
        ("resnet18", 3, (32, 32), 10, 11_173_962),
        ("resnet18", 3, (32, 32), 100, 11_220_132),
        ("vgg19", 3, (32, 32), 100, 20_344_868),
        # What enters its first linear layer grows with the image: 512 numbers more for each 32×32.
        ("vgg19", 3, (64, 96), 100, 20_344_868 + 5 * 512 * 512),
        ("vit", 3, (32, 32), 100, 6_521_418),
        # Patches, token and positions, blocks, norm, head.
        ("vit_standard", 3, (32, 32), 100, 25_088 + 33_792 + 6 * 1_053_056 + 1_024 + 51_300),
        ("crnn", 1, (64, 1001), 10, 1_542_602),
        ("cnn10", 1, (64, 1001), 527, 5_219_279),
        ("cnn14", 1, (64, 1001), 527, 80_753_615),
        ("cnn14", 1, (64, 1001), 10, 79_694_282),
        ("pretrained_resnet18", 3, (64, 64), 200, 11_279_112),
        ("pretrained_vgg19_bn", 3, (64, 64), 200, 140_400_648),
    ],
)
def test_full_networks_have_the_papers_size(
    architecture, channels, input_size, classes, parameters
):
    spec = NetworkSpec(
        architecture, channels, input_size, classes, options=options_of(architecture)
    )
    with torch.device("meta"):
        model = build(spec)
    assert parameter_count(model) == parameters
    assert count_weight_layers(model) == LAYERS[architecture]


def test_weight_layers_are_linear_convolution_and_embedding_layers():
    model = nn.ModuleList(
        [nn.Embedding(3, 2), nn.Conv1d(1, 1, 1), nn.Conv3d(1, 1, 1), nn.BatchNorm1d(2), nn.ReLU()]
    )
    assert count_weight_layers(model) == 3


@pytest.mark.parametrize("architecture", SMALL)
@pytest.mark.parametrize("width", [0.001, 0.1, 0.25])
def test_width_scales_the_features_and_never_below_one(architecture, width):
    model = build(NetworkSpec(architecture, **CIFAR, width=width, options=options_of(architecture)))
    features = {"cnn14": 2048, "crnn": 256}.get(architecture, 512)
    assert model.head.in_features == max(1, round(features * width))
    assert count_weight_layers(model) == LAYERS[architecture]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


# --- the same function as another implementation --------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_resnet18_is_torchvisions_with_a_small_stem(training):
    models = pytest.importorskip("torchvision.models")
    other = models.resnet18(num_classes=10)
    other.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    other.maxpool = nn.Identity()
    ours = build(NetworkSpec("resnet18", **CIFAR))
    other, ours = randomise(other).double(), ours.double()
    copy_by_order(other, ours)
    inputs = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        expected = other.train(training)(inputs)
        torch.testing.assert_close(ours.train(training)(inputs), expected, rtol=1e-10, atol=1e-10)


def test_vgg19_is_torchvisions_up_to_its_classifier():
    models = pytest.importorskip("torchvision.models")
    other = randomise(models.vgg19_bn(num_classes=10).features).double().eval()
    for module in other:
        if isinstance(module, nn.Conv2d):
            module.bias = None  # a bias before BatchNorm changes nothing but its running mean
    ours = randomise(build(NetworkSpec("vgg19", **CIFAR))).double().eval()
    copy_by_order(other, ours.body[: len(other)])
    inputs = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    linear, norm = ours.body[-3], ours.body[-2]
    with torch.no_grad():
        hidden = linear(other(inputs).flatten(1))
        scale = norm.weight / (norm.running_var + 1e-5).sqrt()
        hidden = ((hidden - norm.running_mean) * scale + norm.bias).clamp(min=0)
        expected = hidden @ ours.head.weight.T + ours.head.bias
        torch.testing.assert_close(ours(inputs), expected, rtol=1e-9, atol=1e-9)


# --- initial weights and randomness ---------------------------------------------------------------


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


def test_initial_weights_depend_on_the_seed_and_nothing_else(spec):
    state = torch.get_rng_state()
    first = initialise(spec, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    with torch.device("meta"):
        again = initialise(replace(spec, dropout=0.5), seed=3)
    assert same_weights(first, again)
    assert not same_weights(first, initialise(spec, seed=4))


def test_no_dropout_draws_no_random_numbers(spec):
    model, state = initialise(spec, seed=0).train(), torch.get_rng_state()
    model(images(spec))
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_drops_features_in_training_only(spec):
    inputs = images(spec, n=64)
    plain = initialise(spec, seed=0)
    dropping = initialise(replace(spec, dropout=0.25), seed=0)
    with torch.no_grad():
        assert torch.equal(plain.eval()(inputs), dropping.eval()(inputs))
        before = []
        dropping.dropout.register_forward_hook(lambda _module, given, _result: before.extend(given))
        features = dropping.train().features(inputs)
    kept = before[0] != 0
    dropped = kept & (features == 0)
    assert (dropped.sum() / kept.sum()).item() == pytest.approx(0.25, abs=0.05)


# --- what measures need of a network --------------------------------------------------------------


def with_running_statistics(model: nn.Module, inputs: torch.Tensor) -> nn.Module:
    """Fill BatchNorm's running statistics: with the initial ones VGG-19's activations vanish."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(inputs)
    return model.eval()


def test_second_derivatives_are_those_of_finite_differences(spec):
    model = with_running_statistics(initialise(spec, seed=0).double(), images(spec, 16).double())
    inputs, labels = images(spec, n=2, dtype=torch.float64), torch.tensor([0, 1])
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(p.shape, dtype=p.dtype, generator=generator) / 100 for p in parameters]

    def flat(tensors) -> torch.Tensor:
        return torch.cat([tensor.flatten() for tensor in tensors])

    def gradient(create_graph: bool) -> torch.Tensor:
        loss = F.cross_entropy(model(inputs), labels)
        return flat(torch.autograd.grad(loss, parameters, create_graph=create_graph))

    def gradient_at(step: float) -> torch.Tensor:
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=step)
        result = gradient(create_graph=False)
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=-step)
        return result

    along = gradient(create_graph=True) @ flat(direction)
    product = flat(torch.autograd.grad(along, parameters))
    step = 1e-6
    expected = (gradient_at(step) - gradient_at(-step)) / (2 * step)
    assert product.norm() > 0
    assert (product - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize(
    "architecture", ["resnet18", "vit", "vit_standard", "cnn10", "cnn14", "crnn"]
)
def test_networks_take_log_mel_spectrograms(architecture):
    options = {"patch_size": 16} if architecture.startswith("vit") else {}
    spec = NetworkSpec(architecture, 1, (64, 101), 10, width=0.0625, options=options)
    logits = initialise(spec, seed=0).train()(images(spec))
    assert logits.shape == (4, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("dtype", "autocast"),
    [(torch.float64, False), (torch.bfloat16, False), (torch.float32, True)],
)
def test_every_floating_type_can_be_trained(spec, dtype, autocast):
    model = initialise(spec, seed=0).to(dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = model(images(spec, dtype=dtype))
        loss = F.cross_entropy(logits, torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert logits.dtype == (torch.bfloat16 if autocast else dtype)
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(g.dtype == dtype and g.isfinite().all() for g in gradients)


# --- mistakes -------------------------------------------------------------------------------------


def test_specs_with_equal_values_are_equal_and_hash_alike():
    first = NetworkSpec("vit", **CIFAR, options={"patch_size": 2})
    second = NetworkSpec("vit", **CIFAR, options={"patch_size": 2})
    assert first == second
    assert hash(first) == hash(second)
    assert first != NetworkSpec("vit", **CIFAR, options={"patch_size": 4})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "resnet81"}, "did you mean 'resnet18'"),
        ({"architecture": "vit"}, "vit: option 'patch_size' is missing; train the network again"),
        ({"architecture": "vit", "options": {"patchsize": 4}}, "did you mean 'patch_size'"),
        ({"options": {"patch_size": 4}}, "resnet18: unknown name 'patch_size'"),
        ({"architecture": "vgg19", "input_size": (64, 28)}, "64×28: both sides must be multiples"),
        ({"architecture": "vgg19", "input_size": (16, 64)}, "16×64: both sides must be multiples"),
        ({"architecture": "cnn10", "input_size": (16, 15)}, "16×15 is too small .* 16 mel bands"),
        ({"architecture": "cnn14", "input_size": (31, 64)}, "31×64 is too small .* 32 frames"),
        ({"input_size": (32, 0)}, "input_size: 0 is too small"),
        ({"architecture": "vit", "options": {"patch_size": 1}}, "use an even patch_size"),
        ({"width": 0.0}, "width: 0.0 is not positive"),
        ({"width": math.nan}, "width: nan is not positive"),
        ({"dropout": 1.0}, r"dropout: 1.0 is not in \[0, 1\)"),
        ({"classes": 0}, "classes: 0 is too small"),
    ],
)
def test_a_mistake_in_a_spec_is_named_in_one_line(changes, message):
    spec = NetworkSpec(**{"architecture": "resnet18", **CIFAR, **changes})
    with pytest.raises(InputError, match=message) as error:
        build(spec)
    assert "\n" not in str(error.value)


# --- files ----------------------------------------------------------------------------------------


def test_a_saved_network_is_built_again_with_its_specification(spec, tmp_path):
    normalize = {"mean": [0.25], "std": [0.5]}
    model = NormalisedInput(initialise(spec, seed=0), **normalize).eval()
    save_model(tmp_path / "model.safetensors", model, spec, normalize, seed=0)
    again, its_spec, _ = load_model(tmp_path / "model.safetensors", torch.device("cpu"))
    assert its_spec == spec
    assert hash(its_spec) == hash(spec)
    assert torch.equal(again(images(spec)), model(images(spec)))
