"""Averages of weights against means and sums written out, and statistics against a plain loop."""

import copy
from dataclasses import replace

import pytest
import torch
from refusals import refused
from study_cases import completed, study
from torch import nn
from training_cases import (
    SGD,
    after_each_step,
    feature_data,
    image_data,
    numbers,
    perceptron,
    resnet,
    same_bytes,
)

from minimascope.data.augment import Augmentation, augment
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.optim import build_average
from minimascope.optim.averaging import chosen_in_words, loss_valley
from minimascope.optim.sam import SAM
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train

SWA = {"name": "swa", "start": 0.5}
EMA = {"name": "ema", "decay": 0.7}


def weights_after_each_step(epochs: int) -> list[list[torch.Tensor]]:
    """Return the weights that a training without an average passes through."""
    with after_each_step(lambda found: copy.deepcopy(found.param_groups[0]["params"])) as passed:
        train(perceptron(), feature_data(), TrainingSpec(epochs, 6, SGD), seed=3)
    return passed


def averaged(epochs: int, averaging: dict[str, object]) -> list[torch.Tensor]:
    """Return the weights with which the same training ends if it averages."""
    model = perceptron()
    train(model, feature_data(), TrainingSpec(epochs, 6, SGD, averaging=averaging), seed=3)
    return list(model.parameters())


@pytest.mark.parametrize(
    ("start", "counted"),
    [
        *[(0.5, [3, 4, 5, 6]), (0, range(7)), (0.99, [6]), (0.4, [2, 3, 4, 5, 6]), (None, [5, 6])],
        # The weights that the run ends with always count.
        *[(1 - 1e-12, [6]), (1.0, [6])],
    ],
)
def test_swa_is_the_mean_of_the_weights_at_the_ends_of_the_last_epochs(start, counted):
    ends = weights_after_each_step(7)[3::4]  # of four steps each
    assert len(ends) == 7
    found = averaged(
        7, completed("averaging", name="swa", **({} if start is None else {"start": start}))
    )
    for index, tensor in enumerate(found):
        mean = torch.stack([ends[epoch][index] for epoch in counted]).mean(0)
        torch.testing.assert_close(tensor, mean, rtol=1e-12, atol=1e-14)


def test_the_share_before_the_mean_is_not_misjudged_by_rounding():
    """29 epochs are 0.29 of 100, although 0.29 × 100 is 28.999999999999996."""
    average = build_average(perceptron(), {"name": "swa", "start": 0.29})
    for finished in range(1, 101):
        average.after_epoch(perceptron(), finished, 100)
    assert average.n_averaged == 71


def test_ema_is_the_geometrically_weighted_sum_of_all_steps():
    passed = weights_after_each_step(2)
    last = len(passed) - 1
    for index, tensor in enumerate(averaged(2, EMA)):
        expected = 0.7**last * passed[0][index]
        for step in range(1, last + 1):
            expected = expected + 0.3 * 0.7 ** (last - step) * passed[step][index]
        torch.testing.assert_close(tensor, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("averaging", [SWA, EMA], ids=lambda spec: spec["name"])
def test_what_is_trained_is_the_same_with_an_average(averaging):
    settings = {"sam": SAM(0.05), "augmentation": Augmentation(crop_padding=1), "dropout": 0.2}
    models = resnet(0.2), resnet(0.2)
    plain, other = (
        train(model, image_data(), TrainingSpec(3, 8, SGD, averaging=chosen, **settings), 4)
        for model, chosen in zip(models, (None, averaging), strict=True)
    )
    assert numbers(plain) == numbers(other)
    assert not same_bytes(*models)


SWAD = completed("averaging", name="swad", validation=0.5)


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ([], None),
        ([3, 2], None),
        # Falling losses have no valley yet; 1 is the first that the next two do not undercut.
        ([3, 2, 1, 1.1], None),
        ([3, 2, 1, 1.1, 1.2], (2, 4)),
        # The limit is 1.3 · (1 + 1.1 + 1.2) / 3 = 1.43; a loss below it starts the count anew.
        ([3, 2, 1, 1.1, 1.2, 1.5, 1.4, 1.5], (2, 7)),
        ([3, 2, 1, 1.1, 1.2, 1.5, 1.4, 1.5, 1.5], (2, 6)),
        # What comes after the end changes nothing.
        ([3, 2, 1, 1.1, 1.2, 1.5, 1.4, 1.5, 1.5, 0.1, 0.1], (2, 6)),
        # The limit 1.3 · (1 + 1 + 10) / 3 = 5.2 is below the third loss already.
        ([1, 1, 10, 10], (0, 1)),
        # An equal loss does not undercut.
        ([2, 2, 2], (0, 2)),
    ],
)
def test_the_loss_valley_starts_and_ends_by_the_rule(losses, found):
    assert loss_valley(losses, 3, 2, 1.3) == found


def valley_by_enumeration(losses, n_s, n_e, r):
    """Algorithm 1 of the paper, word by word, counted from 1; iteration 0 is not evaluated."""
    start, end, limit = None, len(losses), None
    loss = dict(enumerate(losses, 1))
    for i in range(1, len(losses) + 1):
        if limit is None:
            if i >= n_s and loss[i - n_s + 1] == min(loss[i - j] for j in range(n_s)):
                start, limit = i - n_s + 1, r / n_s * sum(loss[i - j] for j in range(n_s))
        elif i >= n_e and limit < min(loss[i - j] for j in range(n_e)):
            end = i - n_e
            break
    return start and (start - 1, end - 1)


def test_the_loss_valley_is_that_of_the_published_algorithm():
    draws = generator(0, "valleys")
    found = set()
    for _ in range(300):
        n_s, n_e = torch.randint(1, 5, (2,), generator=draws).tolist()
        losses = (1 + torch.rand(12, generator=draws)).tolist()
        found.add(valley := loss_valley(losses, n_s, n_e, 1.05))
        assert valley == valley_by_enumeration(losses, n_s, n_e, 1.05)
    assert len(found) > 20


def without_held_out(data: Dataset, share: float, seed: int) -> tuple[Dataset, Split]:
    order = torch.randperm(len(data.train), generator=generator(seed, "validation")).tolist()
    n = round(share * len(order))
    kept, out = (data.train.rows(torch.tensor(sorted(r))) for r in (order[n:], order[:n]))
    return Dataset(kept, data.test, data.classes), out


@pytest.mark.parametrize(
    ("rate", "rule", "counted"),
    # Of all epochs, and of the last one alone where losses fall to the end.
    [
        *[(1.0, (2, 1, 1), [4, 5]), (1.0, (2, 2, 1), [4]), (3.0, (2, 1, 1), [0, 1, 2])],
        *[(2.0, (3, 1, 1.1), [1, 2, 3]), (0.1, (1, 9, 9), range(7)), (0.1, (2, 2, 1), [6])],
    ],
)
def test_swad_is_the_mean_of_all_steps_between_two_epochs(rate, rule, counted):
    data, out = without_held_out(feature_data(), 0.5, seed=3)
    spec, plain = TrainingSpec(7, 4, SGD | {"lr": rate}), perceptron()
    losses, passed = [], []

    def look(optimizer):
        passed.append([p.detach().clone() for p in plain.parameters()])
        if len(passed) % 3 == 0:
            losses.append(nn.functional.cross_entropy(plain(out.inputs), out.labels).item())

    with after_each_step(look):
        train(plain, data, spec, seed=3)
    assert (valley_by_enumeration(losses, *rule) or (6, 6)) == (counted[0], counted[-1])
    keys = ("start_patience", "end_patience", "tolerance")
    averaging = SWAD | dict(zip(keys, rule, strict=True))
    model = perceptron()
    history = train(model, feature_data(), replace(spec, averaging=averaging), seed=3)
    assert [row["validation_loss"] for row in history] == pytest.approx(losses, rel=1e-12)
    found = valley_by_enumeration(losses, *rule)
    why = "valley" if found else "last epoch"
    assert [row["averaged"] for row in history] == [why if e in counted else "" for e in range(7)]
    told = f"epochs {counted[0] + 1} to {counted[-1] + 1} of 7," if found else "chose no epochs"
    assert told in chosen_in_words(history)
    for index, tensor in enumerate(model.parameters()):
        steps = [passed[3 * epoch + step][index] for epoch in counted for step in range(3)]
        torch.testing.assert_close(tensor, torch.stack(steps).mean(0), rtol=1e-12, atol=1e-14)


def test_swad_trains_on_what_is_not_held_out_and_is_the_same_on_it():
    data, _ = without_held_out(image_data(), 0.5, seed=4)
    settings = {"sam": SAM(0.05), "augmentation": Augmentation(crop_padding=1), "dropout": 0.2}
    spec = TrainingSpec(3, 8, SGD, **settings)
    expected = train(resnet(0.2), data, spec, 4)
    found = train(resnet(0.2), image_data(), replace(spec, averaging=SWAD), 4)
    losses = [row.pop("validation_loss") for row in found]
    assert all(loss > 0 for loss in losses)
    assert [row.pop("averaged") for row in found][-1]
    assert not any("averaged" in row for row in expected)
    assert chosen_in_words(expected) == ""
    assert numbers(found) == numbers(expected)


@pytest.mark.parametrize(
    ("share", "n", "classes", "line"),
    [
        (0.001, 300, 2, "0.001 of 300 .* holds out 1;.* 10 or more; raise it to 0.034 or more"),
        (0.2, 300, 80, "holds out 60;.* 80 or more, one for each class; raise it to 0.267 or"),
        (0.2, 9, 2, "0.2 of 9 training samples holds out 2;.* use more training samples"),
    ],
)
def test_too_few_samples_for_a_validation_loss_are_refused_before_training(share, n, classes, line):
    data = replace(feature_data(n), classes=tuple(map(str, range(classes))))
    spec = TrainingSpec(3, 100, SGD, averaging=SWAD | {"validation": share})
    with pytest.raises(InputError, match=f"training.averaging.validation: .*{line}"):
        train(perceptron(), data, spec, 0)
    enough = replace(spec, averaging=SWAD | {"validation": 0.034})
    assert len(train(perceptron(), feature_data(300), enough, 0)) == 3


TOO_SMALL = {"averaging": {"name": "swad", "validation": 0.001}}
FEW = {"train_samples": 18, "training": {"averaging": SWAD}}


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"training": TOO_SMALL}, "training"),
        ({"conditions": {"sam": TOO_SMALL}}, "conditions.sam"),
        ({"datasets": {"small": {"training": TOO_SMALL}}}, "datasets.small.training"),
        ({"datasets": {"small": FEW}}, "datasets.small.training"),
    ],
)
def test_too_few_samples_for_a_validation_loss_are_refused_by_the_study(sections, key):
    with refused(f"{key}.averaging.validation: ", "raise it to"):
        study(**sections)


def normalising_perceptron() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)
    return nn.Sequential(*layers).double()


def test_statistics_are_the_means_over_the_batches_of_one_more_epoch():
    data, model = feature_data(), normalising_perceptron()
    spec = TrainingSpec(epochs=4, batch_size=6, optimizer=SGD, averaging=SWA)
    train(model, data, spec, seed=3)
    # 20 inputs in batches of 6, 6, 6 and 2, each of which counts as much as the others.
    order = torch.randperm(20, generator=generator(3, "order", 4))
    means, variances = [], []
    for start in range(0, 20, 6):
        rows = order[start : start + 6]
        activations = data.train.inputs[rows].flatten(1) @ model[1].weight.T + model[1].bias
        mean = activations.sum(0) / len(rows)
        means.append(mean)
        variances.append(((activations - mean) ** 2).sum(0) / (len(rows) - 1))
    expected = sum(means) / 4, sum(variances) / 4
    torch.testing.assert_close(model[2].running_mean, expected[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(model[2].running_var, expected[1], rtol=1e-12, atol=1e-14)


class ChannelMeans(nn.Sequential):
    """Normalises the raw pixels, whose statistics do not depend on any weight."""

    def __init__(self):
        super().__init__(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 3))
        self.double()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.double())


def test_statistics_are_of_images_augmented_as_in_training():
    torch.manual_seed(0)
    data, model = image_data(), ChannelMeans()
    crop = Augmentation(crop_padding=3)
    train(model, data, TrainingSpec(2, 8, SGD, augmentation=crop, averaging=EMA), seed=5)
    order = torch.randperm(24, generator=generator(5, "order", 2))
    draws = generator(5, "augmentation", 2)
    means = [
        augment(data.train.inputs[rows], crop, draws).double().mean() for rows in order.split(8)
    ]
    assert model[0].running_mean.item() == pytest.approx(sum(means).item() / 3, rel=1e-12)
    assert model[0].running_mean.item() != pytest.approx(data.train.inputs.double().mean().item())


def test_a_network_without_batchnorm_can_be_averaged_in_bfloat16():
    model, data = perceptron().float(), feature_data()
    splits = (Split(split.inputs.float(), split.labels) for split in (data.train, data.test))
    spec = TrainingSpec(2, 6, SGD, averaging=EMA, precision="bf16")
    train(model, Dataset(*splits, data.classes), spec, 0)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(p.isfinite().all() for p in model.parameters())


def test_conditions_may_average_as_they_like():
    conditions = {
        "sam": {"averaging": {"start": 0.5}},
        "ema": {"averaging": {"name": "ema", "decay": 0.9}},
        "none": {"averaging": None},
    }
    loaded = study(training={"averaging": {"name": "swa"}}, conditions=conditions)
    found = {name: loaded.training["small", name]["averaging"] for name in loaded.conditions}
    ema = {"name": "ema", "decay": 0.9}
    assert found == {"baseline": SWA | {"start": 0.75}, "sam": SWA, "ema": ema, "none": None}


@pytest.mark.parametrize(
    ("averaging", "message"),
    [
        ({"name": "swa", "decay": 0.9}, r"baseline\.averaging\.decay: not a setting of swa"),
        ({"name": "ema", "start": 0.9}, r"baseline\.averaging\.start: not a setting of ema"),
        ({"name": "mean"}, "averaging.name"),
        ({"name": "swa", "start": 1.0}, "averaging.start"),
        ({"start": 0.5}, "averaging: 'name' is missing"),
    ],
)
def test_settings_of_another_average_are_refused(averaging, message):
    with pytest.raises(InputError, match=message):
        study(conditions={"baseline": {"averaging": averaging}})
