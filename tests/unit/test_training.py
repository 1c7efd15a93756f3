"""Training against loops and formulas written out, and across interruptions."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from study_cases import completed
from torch import nn
from training_cases import (
    CPU,
    F64,
    GDTUO,
    KFAC,
    SGD,
    InterruptedAfter,
    TrainingInterruptedError,
    feature_data,
    image_data,
    numbers,
    perceptron,
    resnet,
    same_bytes,
)

from minimascope.attacks.spec import AdversarialSpec
from minimascope.checkpoints import CheckpointFile
from minimascope.data.augment import Augmentation
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.optim.sam import SAM
from minimascope.schedule import Schedule
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train


# 19 and 1 end with batches of one input, which only BatchNorm cannot have.
@pytest.mark.parametrize("batch_size", [6, 19, 1])
def test_two_epochs_equal_a_loop_with_the_formulas_of_sgd(batch_size):
    data, model, expected = feature_data(), perceptron(), perceptron()
    spec = TrainingSpec(epochs=2, batch_size=batch_size, optimizer=SGD)
    history = train(model, data, spec, seed=3)

    velocity = [torch.zeros_like(p) for p in expected.parameters()]
    for epoch in range(2):
        order = torch.randperm(20, generator=generator(3, "order", epoch))
        total, hits = 0.0, 0
        for start in range(0, 20, batch_size):
            rows = order[start : start + batch_size]
            logits = expected(data.train.inputs[rows])
            log_p = logits - logits.logsumexp(1, keepdim=True)
            loss = -log_p[torch.arange(len(rows)), data.train.labels[rows]].mean()
            gradients = torch.autograd.grad(loss, list(expected.parameters()))
            total += loss.item() * len(rows)
            hits += (logits.argmax(1) == data.train.labels[rows]).sum().item()
            with torch.no_grad():
                for p, g, v in zip(expected.parameters(), gradients, velocity, strict=True):
                    v.mul_(0.9).add_(g + 0.01 * p)
                    p -= 0.1 * v
        assert history[epoch]["train_loss"] == pytest.approx(total / 20, rel=1e-12)
        assert history[epoch]["train_accuracy"] == hits / 20
    for p, q in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "lr": 0.1},
        {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"name": "adam", "lr": 0.01, "betas": [0.8, 0.9]},
        {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
        {"name": "rmsprop", "lr": 0.01, "alpha": 0.9, "momentum": 0.5},
        completed("optimizer", name="kfac", lr=0.1, damping=0.1, inverse_every=10),
        completed("optimizer", name="gdtuo", lr=0.01, hyper_lr=0.0001, weight_decay=0.001),
    ],
    ids=lambda spec: "-".join(spec),
)
def test_every_optimiser_lowers_the_loss(optimizer):
    spec = TrainingSpec(epochs=30, batch_size=6, optimizer=optimizer)
    history = train(perceptron(), feature_data(), spec, seed=0)
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]


def test_history_tells_what_was_evaluated_and_when():
    spec = TrainingSpec(epochs=5, batch_size=6, optimizer=SGD, test_every=2)
    history = train(perceptron(), feature_data(), spec, seed=0)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert [math.isnan(row["test_loss"]) for row in history] == [True, False, True, False, False]
    assert all(row["samples_per_second"] * row["seconds"] == pytest.approx(20) for row in history)


@pytest.mark.parametrize(
    ("epochs", "tested"),
    [(4, [1, 2, 3, 4]), (20, list(range(2, 21, 2))), (25, [*range(3, 25, 3), 25])],
)
def test_unless_told_otherwise_a_run_tests_every_tenth_part_and_the_last_epoch(epochs, tested):
    spec = TrainingSpec(epochs=epochs, batch_size=20, optimizer=SGD)
    history = train(perceptron(), feature_data(), spec, seed=0)
    assert [row["epoch"] for row in history if not math.isnan(row["test_accuracy"])] == tested


def seen_samples(spec: TrainingSpec) -> list[list[int]]:
    """Return which samples each training step has in its first pass, told by their brightness."""
    seen, model = [], resnet(spec.dropout)

    def note(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        if module.training:
            # No crop or flip moves the pixel in the middle out of a picture of one colour.
            seen.append(given[0][:, 0, 4, 4].tolist())

    model.register_forward_pre_hook(note)
    pictures = torch.arange(24, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    train(model, replace(image_data(), train=Split(pictures, torch.arange(24) % 3)), spec, seed=1)
    return seen[:: 1 if spec.sam is None else 2]


def test_groups_of_a_batch_have_masks_of_their_own_the_same_in_both_passes():
    masks, model = [], nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3)).double()
    model[1].register_forward_hook(lambda _, given, out: masks.append(out == 0))
    images = Split(torch.ones(8, 1, 8, 8, dtype=F64), torch.arange(8) % 3)
    data = replace(image_data(), train=images, test=images)
    spec = TrainingSpec(1, 8, SGD, sam=SAM(0.1, group_size=4), dropout=0.5)
    history = train(model, data, spec, seed=1)
    first, again, second, once_more = masks[:4]
    assert torch.equal(first, again)
    assert torch.equal(second, once_more)
    assert not torch.equal(first, second)
    # Each input counts once.
    assert history[0]["train_accuracy"] * 8 in range(9)


def test_the_order_of_the_data_is_the_same_for_every_condition():
    plain = TrainingSpec(epochs=2, batch_size=8, optimizer=SGD)
    other = TrainingSpec(
        epochs=2,
        batch_size=8,
        optimizer={"name": "adam", "lr": 0.001},
        sam=SAM(0.1),
        augmentation=Augmentation(crop_padding=1, crop_fill=255, horizontal_flip=0.5),
        dropout=0.2,
    )
    seen = seen_samples(plain)
    assert seen == seen_samples(other)
    first, second = (list(itertools.chain(*epoch)) for epoch in (seen[:3], seen[3:]))
    assert first != second
    assert sorted(first) == sorted(second) == list(range(24))


def test_an_optimiser_that_observes_has_a_stream_of_its_own_for_each_epoch(monkeypatch):
    def drawn(seed: int) -> list[float]:
        seen = []

        def observe(optimizer, inputs, draws):
            seen.append((len(inputs), torch.rand((), generator=draws).item()))

        monkeypatch.setattr(torch.optim.SGD, "observe", observe, raising=False)
        train(perceptron(), feature_data(), TrainingSpec(2, 10, SGD), seed)
        assert [size for size, _ in seen] == [10] * 4
        return [number for _, number in seen]

    assert drawn(1) == drawn(1)
    assert len({*drawn(1), *drawn(2)}) == 8
    epoch = generator(1, "fisher labels", 1)
    assert drawn(1)[2:] == [torch.rand((), generator=epoch).item() for _ in range(2)]


def test_label_smoothing_spreads_the_target():
    data, model = feature_data(), perceptron()
    logits = model(data.train.inputs)
    log_p = logits.log_softmax(1)
    right = log_p[torch.arange(20), data.train.labels]
    expected = -(0.8 * right + 0.2 * log_p.mean(1)).mean().item()
    spec = TrainingSpec(
        epochs=1, batch_size=20, optimizer={"name": "sgd", "lr": 0.1}, label_smoothing=0.2
    )
    assert train(model, data, spec, 0)[0]["train_loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("optimizer", [SGD, KFAC, GDTUO], ids=lambda spec: spec["name"])
def test_bfloat16_trains_on_a_cpu(optimizer):
    model, spec = resnet(0.1), TrainingSpec(10, 8, optimizer, sam=SAM(0.02), precision="bf16")
    history = train(model, image_data(), spec, 0)
    assert history[-1]["train_loss"] < 0.9 * history[0]["train_loss"]
    assert next(model.parameters()).dtype == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is visible: tf32 is not refused there")
def test_tf32_is_refused_on_a_cpu():
    spec = TrainingSpec(epochs=1, batch_size=8, optimizer=SGD, precision="tf32")
    with pytest.raises(InputError, match="tf32 needs a GPU"):
        train(perceptron().float(), image_data(), spec, 0)


def test_divergence_names_epoch_step_and_learning_rate():
    spec = TrainingSpec(epochs=9, batch_size=6, optimizer={"name": "sgd", "lr": 1e200})
    with pytest.raises(InputError, match=r"epoch 1, step \d, at learning rate 1e\+200; lower"):
        train(perceptron(), feature_data(), spec, 0)


@pytest.mark.parametrize("sam", [SAM(0.05), SAM(0.05, gap_weight=1e200)])
def test_divergence_with_sam_names_what_it_can_come_from(sam):
    spec = TrainingSpec(epochs=9, batch_size=6, optimizer={"name": "sgd", "lr": 1e200}, sam=sam)
    end = "or, with SAM, rho" + (" or gap_weight" if sam.gap_weight else "")
    with pytest.raises(InputError, match=f"; lower training.optimizer.lr {end}$"):
        train(perceptron(), feature_data(), spec, 0)


@pytest.mark.parametrize("batch_size", [23, 1])
def test_a_batch_of_one_image_is_refused_for_a_network_with_batchnorm(batch_size):
    spec = TrainingSpec(epochs=1, batch_size=batch_size, optimizer=SGD)
    with pytest.raises(InputError, match=f"batch_size: {batch_size} leaves a batch of one.*Norm"):
        train(resnet(), image_data(24), spec, 0)


SWAD = {"name": "swad", "validation": 0.5, "start_patience": 2, "end_patience": 1, "tolerance": 1}
RESUMABLE = {
    "momentum and cosine": TrainingSpec(5, 8, SGD, Schedule("cosine")),
    "steps after a warm-up": TrainingSpec(
        5, 8, SGD, Schedule("multi_step", "batch", 4, {"milestones": [8, 10], "gamma": 0.5})
    ),
    "one cycle": TrainingSpec(5, 8, SGD, Schedule("one_cycle", "batch", options={"peak": 0.5})),
    "adam": TrainingSpec(5, 8, {"name": "adam", "lr": 0.001}),
    "rmsprop": TrainingSpec(5, 8, {"name": "rmsprop", "lr": 0.001, "momentum": 0.9}),
    "SAM, dropout and augmentation": TrainingSpec(
        5, 8, SGD, sam=SAM(0.05), augmentation=Augmentation(1, 0, 0.5), dropout=0.3
    ),
    "kfac": TrainingSpec(5, 8, KFAC, Schedule("cosine"), dropout=0.3),
    "kfac with SAM": TrainingSpec(5, 8, KFAC | {"momentum": 0.0}, sam=SAM(0.05)),
    "gdtuo": TrainingSpec(5, 8, GDTUO),
    "gdtuo with SAM": TrainingSpec(5, 8, GDTUO, sam=SAM(0.05), dropout=0.3),
    "all variants of SAM at once": TrainingSpec(5, 8, SGD, sam=SAM(0.5, 0.01, 0.1, 4), dropout=0.3),
    "swa": TrainingSpec(5, 8, SGD, averaging={"name": "swa", "start": 0.2}),
    "swa with kfac": TrainingSpec(5, 8, KFAC, averaging={"name": "swa", "start": 0.6}),
    # Ended before, and still open, when the last epoch begins.
    "swad": TrainingSpec(5, 8, SGD, averaging=SWAD),
    "swad of all later epochs": TrainingSpec(
        5, 8, SGD, averaging=SWAD | {"start_patience": 1, "tolerance": 1e9}, dropout=0.3
    ),
    "attacks": TrainingSpec(5, 8, SGD, adversarial=AdversarialSpec(0.1, "l2", 2), dropout=0.3),
    "attacks with kfac": TrainingSpec(5, 8, KFAC, adversarial=AdversarialSpec(0.1, steps=1)),
    "attacks with gdtuo, SAM, augmentation and swa": TrainingSpec(
        *(5, 8, GDTUO),
        sam=SAM(0.05),
        augmentation=Augmentation(1, 0, 0.5),
        adversarial=AdversarialSpec(0.1, steps=1),
        averaging={"name": "swa", "start": 0.2},
    ),
    "ema with SAM, dropout and augmentation": TrainingSpec(
        *(5, 8, SGD),
        sam=SAM(0.05),
        augmentation=Augmentation(1, 0, 0.5),
        dropout=0.3,
        averaging={"name": "ema", "decay": 0.9},
    ),
}


def interrupted(path: Path, spec: TrainingSpec, epochs: int, identity: str = "run") -> None:
    """Train until a number of epochs is kept, and be interrupted then."""
    with pytest.raises(TrainingInterruptedError):
        train(
            resnet(spec.dropout),
            image_data(),
            spec,
            2,
            InterruptedAfter(path, identity, CPU, epochs),
        )


@pytest.mark.parametrize("spec", RESUMABLE.values(), ids=RESUMABLE)
def test_an_interrupted_training_ends_with_the_same_bytes(spec, tmp_path):
    undisturbed, resumed = resnet(spec.dropout), resnet(spec.dropout)
    expected = train(undisturbed, image_data(), spec, seed=2)
    path = tmp_path / "checkpoint.safetensors"
    for epochs in (1, 3):
        interrupted(path, spec, epochs)
    history = train(resumed, image_data(), spec, 2, CheckpointFile(path, "run", CPU))
    assert same_bytes(resumed, undisturbed)
    assert numbers(history) == numbers(expected)


def test_a_checkpoint_of_another_run_is_not_continued(tmp_path):
    path, spec = tmp_path / "checkpoint.safetensors", RESUMABLE["adam"]
    interrupted(path, spec, 2, "another run")
    fresh, other = resnet(), resnet()
    train(fresh, image_data(), spec, 5)
    train(other, image_data(), spec, 5, CheckpointFile(path, "run", CPU))
    assert same_bytes(fresh, other)


def test_a_truncated_checkpoint_is_refused_by_name(tmp_path):
    path, spec = tmp_path / "checkpoint.safetensors", RESUMABLE["adam"]
    interrupted(path, spec, 1)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: .*delete it and run again"):
        train(resnet(), image_data(), spec, 2, CheckpointFile(path, "run", CPU))
