"""What the published procedures computed, against plain loops written from their description."""

import copy
import math

import pytest
import torch
from sharpness_cases import (
    drawn_like,
    flatness_by_autodiff,
    images,
    network,
    plain_loss,
    points,
    subject_of,
)
from torch import nn

from minimascope.data.augment import Augmentation
from minimascope.data.prepared import Split
from minimascope.seeding import child, generator
from minimascope.sharpness import forward, perturbation
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.published import published_sam_sharpness, rescaled_copy
from minimascope.sharpness.subject import Subject

ARCHITECTURES = ["resnet18", "vgg19", "vit"]
CROP = Augmentation(crop_padding=2, crop_fill=7, horizontal_flip=0.5)


def features(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return what enters the head, caught on its way."""
    caught = []
    hook = model.network.head.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
    with torch.no_grad():
        model(inputs)
    hook.remove()
    return caught[0]


def last_layer(model: nn.Module, architecture: str) -> nn.Module:
    """Return the layer before the head, by its name."""
    name = {"resnet18": "body.10.residual.4", "vgg19": "body.55", "vit": "body.norm"}
    return model.network.get_submodule(name[architecture])


def rescaled_by_hand(model: nn.Module, architecture: str, inputs: torch.Tensor) -> nn.Module:
    copied = copy.deepcopy(model)
    layer, head = last_layer(copied, architecture), copied.network.head
    phi = features(model, inputs)
    with torch.no_grad():
        for k in range(phi.shape[1]):
            mean = math.fsum(phi[:, k].tolist()) / len(phi)
            variance = math.fsum((x - mean) ** 2 for x in phi[:, k].tolist()) / len(phi)
            layer.weight[k] /= math.sqrt(variance)
            layer.bias[k] /= math.sqrt(variance)
            head.weight[:, k] *= math.sqrt(variance)
    return copied


def values(subject: Subject, **settings) -> dict[str, float]:
    measured = forward.measure(subject, generator(0), **settings)
    return {m.measure: m.value for m in measured.measurements}


def living(architecture: str, n: int) -> tuple[nn.Module, Split]:
    """Return a network all of whose features vary, so that none is left out."""
    model, split = network(architecture), images(architecture, n)
    assert (features(model, split.inputs).std(0) > 1e-6).all()
    return model, split


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_relative_flatness_is_the_sum_over_mini_batches_of_the_rescaled_network(architecture):
    model, split = living(architecture, 300)
    rescaled = rescaled_by_hand(model, architecture, split.inputs)
    phi = features(rescaled, split.inputs)
    expected = 0.0
    for start in range(0, 300, 256):
        rows = slice(start, start + 256)
        head = rescaled.network.head
        expected += flatness_by_autodiff(
            phi[rows], head.weight.detach(), head.bias, split.labels[rows]
        )
    found = values(Subject(model, Objective(split)), batch_size=128)
    assert found["relative_flatness_published"] == pytest.approx(expected, rel=1e-9)
    loss = plain_loss(rescaled, split)
    assert found["relative_flatness_published_loss"] == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_in_resnet_is_the_rescaled_network_another_function(architecture):
    model, split = living(architecture, 40)
    phi = features(model, split.inputs)
    rescaled, _ = rescaled_copy(model, model.network.head, phi.std(0, correction=0))
    by_hand = rescaled_by_hand(model, architecture, split.inputs)
    with torch.no_grad():
        before, after = model(split.inputs), rescaled(split.inputs)
        torch.testing.assert_close(after, by_hand(split.inputs), rtol=1e-9, atol=1e-9)
    difference = (after - before).abs().max()
    if architecture == "resnet18":
        assert difference > 1e-2
    else:
        assert difference < 1e-9


@pytest.mark.parametrize("architecture", ["vgg19", "vit"])
@pytest.mark.parametrize(("n", "batches"), [(512, 2), (70, 1)])
def test_where_the_function_stays_it_is_the_corrected_value_times_the_batches(
    architecture, n, batches
):
    found = values(subject_of(*living(architecture, n)))
    expected = batches * found["relative_flatness"]
    assert found["relative_flatness_published"] == pytest.approx(expected, rel=1e-9)
    loss = found["train_loss"]
    assert found["relative_flatness_published_loss"] == pytest.approx(loss, rel=1e-9)


def test_features_that_are_always_off_are_switched_off():
    model, split = living("vgg19", 30)
    with torch.no_grad():
        last_layer(model, "vgg19").bias[3] = -100
    found = values(Subject(model, Objective(split)))
    expected = found["relative_flatness"]
    assert found["relative_flatness_published"] == pytest.approx(expected, rel=1e-9)


def test_a_network_without_a_layer_before_the_head_has_no_published_flatness():
    model, split = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double(), points(9, 4, 3)
    measured = forward.measure(subject_of(model, split), generator(0))
    reason = "Sequential has no layer before the last with 4 outputs"
    names = ["relative_flatness_published", "relative_flatness_published_loss"]
    assert measured.details == {"left_out": dict.fromkeys(names, reason)}
    found = {m.measure for m in measured.measurements}
    assert {"relative_flatness", "fisher_rao_norm_l5"} <= found
    assert not found & set(names)


def augmented_by_hand(
    pixels: torch.Tensor, augmentation: Augmentation, draws: torch.Generator
) -> torch.Tensor:
    """Crop and mirror image by image; the numbers are drawn as `augment` draws them."""
    n, _, height, width = pixels.shape
    pad = augmentation.crop_padding
    offsets = torch.randint(0, 2 * pad + 1, (2, n), generator=draws)
    flips = torch.rand(n, generator=draws) < augmentation.horizontal_flip
    result = torch.empty_like(pixels)
    for i in range(n):
        canvas = torch.full((1, height + 2 * pad, width + 2 * pad), augmentation.crop_fill)
        canvas[:, pad : pad + height, pad : pad + width] = pixels[i]
        top, left = offsets[:, i].tolist()
        crop = canvas[:, top : top + height, left : left + width]
        result[i] = crop.flip(2) if flips[i] else crop
    return result


def loss_of_a_shuffled_pass(
    model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, draws: torch.Generator
) -> float:
    """Return the mean of the mean losses of mini-batches of 256."""
    rows = torch.randperm(len(labels), generator=draws)
    means = []
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256]
        means.append(plain_loss(model, Split(pixels[part], labels[part])))
    return sum(means) / len(means)


def published_by_hand(
    model: nn.Module,
    split: Split,
    augmentation: Augmentation | None,
    radius: float,
    samples: int,
    draws: torch.Generator,
) -> tuple[list[float], list[float]]:
    def data() -> torch.Tensor:
        return (
            augmented_by_hand(split.inputs, augmentation, draws) if augmentation else split.inputs
        )

    def tensors(network: nn.Module) -> list[torch.Tensor]:
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        means, variances = [m.running_mean for m in norms], [m.running_var for m in norms]
        return [*network.parameters(), *means, *variances]

    scale = radius / math.sqrt(sum(p.numel() for p in model.parameters()))
    centre = loss_of_a_shuffled_pass(model, data(), split.labels, draws)
    perturbed, null = [], []
    for _ in range(samples):
        pixels, moved = data(), copy.deepcopy(model)
        with torch.no_grad():
            steps = drawn_like(tensors(moved), scale, draws)
            for tensor, step in zip(tensors(moved), steps, strict=True):
                tensor += step
        for losses, network_ in ((perturbed, moved), (null, model)):
            loss = loss_of_a_shuffled_pass(network_, pixels, split.labels, draws)
            losses.append(abs(loss - centre) / radius)
    return perturbed, null


@pytest.mark.parametrize("augmentation", [None, CROP], ids=["plain", "augmented"])
@pytest.mark.parametrize("architecture", ["resnet18", "vit"])
def test_sam_sharpness_is_a_plain_loop_over_shuffled_augmented_passes(architecture, augmentation):
    model, split, seen = network(architecture), images(architecture, 300), []
    model.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    subject = Subject(model, Objective(split), augmentation)
    found = published_sam_sharpness(subject, 0.05, 3, generator=generator(4))
    # The data are passed once for each loss that counts.
    assert sum(seen) == 300 * (1 + 3 * (2 if augmentation else 1))
    expected = published_by_hand(model, split, augmentation, 0.05, 3, generator(4))
    for part, by_hand in zip(found, expected, strict=True):
        assert part.tolist() == pytest.approx(by_hand, rel=1e-8, abs=1e-11)


def test_a_channel_that_never_varied_gives_a_finite_value():
    model, split = network("resnet18"), images("resnet18", 20)
    model.network.body[1].running_var.zero_()
    perturbed, _ = published_sam_sharpness(
        Subject(model, Objective(split)), 0.5, 10, generator=generator(0)
    )
    assert perturbed.isfinite().all()


def measured(subject: Subject, **settings) -> dict:
    found = perturbation.measure(subject, generator(0), dtype="float64", samples=2, **settings)
    return {m.measure: m for m in found.measurements}


def test_the_floor_of_the_published_value_is_that_without_perturbations():
    found = measured(Subject(network("vit"), Objective(images("vit", 270))), published_samples=3)
    published, null = found["sam_sharpness_published"], found["sam_sharpness_null"]
    assert published.noise_floor == null.value > 1e-4  # a smaller last batch
    assert published.protocol == null.protocol == "published"
    assert published.n == 270
    equal = measured(Subject(network("vit"), Objective(images("vit", 40))), published_samples=3)
    assert equal["sam_sharpness_null"].value < 1e-9 < equal["sam_sharpness_published"].value


def test_published_values_come_from_a_stream_of_their_own_and_the_originals():
    subject = Subject(network("vit"), Objective(images("vit", 30)), CROP)
    frozen = subject.augmented(generator(9))
    assert not torch.equal(frozen.objective.samples.inputs, subject.objective.samples.inputs)
    draws = child(generator(0), "published SAM-sharpness")
    expected, _ = published_sam_sharpness(subject, 0.01, 4, generator=draws)
    for given in (subject, frozen):
        found = measured(given, radius=0.01, published_samples=4)["sam_sharpness_published"]
        assert found.value == pytest.approx(expected.mean().item(), rel=1e-12)
        deviation = expected.std().item()
        assert found.standard_error == pytest.approx(deviation / 2, rel=1e-12)
