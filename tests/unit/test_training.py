"""Training against loops and formulas written out, and across interruptions."""

import math

import pytest
import torch
from study_cases import completed
from torch import nn

from minimascope import training
from minimascope.checkpoints import CheckpointFile
from minimascope.data.augment import Augmentation
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.optim.schedule import Schedule
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train

F64 = torch.float64


def feature_data(n: int = 20) -> Dataset:
    draws = generator(0, "features")
    inputs = torch.randn(n + 8, 3, generator=draws, dtype=F64)[:, :, None, None]
    labels = (inputs.sum((1, 2, 3)) > 0).long()
    return Dataset(Split(inputs[:n], labels[:n]), Split(inputs[n:], labels[n:]), ("a", "b"))


def image_data(n: int = 24, channels: int = 1) -> Dataset:
    draws = generator(0, "images")
    images = torch.randint(0, 256, (n + 8, channels, 8, 8), generator=draws, dtype=torch.uint8)
    labels = torch.arange(n + 8) % 3
    return Dataset(Split(images[:n], labels[:n]), Split(images[n:], labels[n:]), ("a", "b", "c"))


def perceptron() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()


def resnet(dropout: float = 0.0, channels: int = 1, width: float = 0.0625) -> NormalisedInput:
    spec = NetworkSpec("resnet18", channels, (8, 8), 3, width=width, dropout=dropout)
    return NormalisedInput(initialise(spec, 0), [0.5], [0.5])


SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
# Of three steps in an epoch, some of which need neither new factors nor new inverses.
KFAC = completed("optimizer", name="kfac", lr=0.01, damping=0.01, factor_every=2, inverse_every=4)
GDTUO = completed("optimizer", name="gdtuo", lr=0.001, hyper_lr=0.0001, weight_decay=0.01)


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


def seen_batches(monkeypatch, spec: TrainingSpec) -> list[torch.Tensor]:
    """Return the labels of each batch in the order in which a training saw them."""
    seen = []
    step = training._step

    def recording(trainee, batch, spec):
        seen.append(batch.labels.clone())
        return step(trainee, batch, spec)

    monkeypatch.setattr(training, "_step", recording)
    train(resnet(spec.dropout), image_data(), spec, seed=1)
    monkeypatch.undo()
    return seen


def test_the_order_of_the_data_is_the_same_for_every_condition(monkeypatch):
    plain = TrainingSpec(epochs=2, batch_size=8, optimizer=SGD)
    other = TrainingSpec(
        epochs=2,
        batch_size=8,
        optimizer={"name": "adam", "lr": 0.001},
        sam_rho=0.1,
        augmentation=Augmentation(crop_padding=1, horizontal_flip=0.5),
        dropout=0.2,
    )
    pairs = list(
        zip(seen_batches(monkeypatch, plain), seen_batches(monkeypatch, other), strict=True)
    )
    assert len(pairs) == 6
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(torch.equal(pairs[0][0], a) for a, _ in pairs[3:4])


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


@pytest.mark.parametrize(("per", "period"), [("epoch", None), ("batch", None), ("batch", 100)])
def test_cosine_follows_torchs_scheduler_beyond_its_period(per, period):
    epochs, batches = 30, 10
    schedule = Schedule("cosine", per, period)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    steps = epochs if per == "epoch" else epochs * batches
    reference = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: 0.5 * (1 + math.cos(math.pi * t / (period or steps)))
    )
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5), T_max=period or steps
    )
    for step in range(steps):
        epoch, batch = (step, 3) if per == "epoch" else divmod(step, batches)
        rate = 0.5 * schedule.factor(epoch, batch, epochs, batches)
        assert rate == pytest.approx(reference.get_last_lr()[0], abs=1e-12)
        assert rate == pytest.approx(annealing.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        reference.step()
        annealing.optimizer.step()
        annealing.step()


def test_bfloat16_trains_on_a_cpu_and_tf32_is_refused_there():
    spec = TrainingSpec(epochs=1, batch_size=8, optimizer=SGD, precision="bf16")
    model = resnet()
    assert math.isfinite(train(model, image_data(), spec, 0)[0]["train_loss"])
    assert next(model.parameters()).dtype == torch.float32
    if torch.cuda.is_available():
        pytest.skip("a GPU is visible: tf32 is not refused there")
    spec = TrainingSpec(epochs=1, batch_size=8, optimizer=SGD, precision="tf32")
    with pytest.raises(InputError, match="tf32 needs a GPU"):
        train(perceptron().float(), image_data(), spec, 0)


def test_divergence_names_epoch_step_and_learning_rate():
    spec = TrainingSpec(epochs=9, batch_size=6, optimizer={"name": "sgd", "lr": 1e200})
    with pytest.raises(InputError, match=r"epoch 1, step \d, at learning rate 1e\+200; lower"):
        train(perceptron(), feature_data(), spec, 0)


@pytest.mark.parametrize("batch_size", [23, 1])
def test_a_batch_of_one_image_is_refused_for_a_network_with_batchnorm(batch_size):
    spec = TrainingSpec(epochs=1, batch_size=batch_size, optimizer=SGD)
    with pytest.raises(InputError, match=f"batch_size: {batch_size} leaves a batch of one.*Norm"):
        train(resnet(), image_data(24), spec, 0)


class TrainingInterruptedError(Exception):
    pass


class InterruptedAfter(CheckpointFile):
    """Writes a checkpoint after every epoch, and stops the training after some."""

    def __init__(self, path, identity, epochs):
        super().__init__(path, identity)
        self.epochs = epochs

    def save_if_cheap(self, model, optimizer, progress, average=None):
        self._cost = 0.0
        super().save_if_cheap(model, optimizer, progress, average)
        if progress.epoch == self.epochs:
            raise TrainingInterruptedError


RESUMABLE = {
    "momentum and cosine": TrainingSpec(5, 8, SGD, Schedule("cosine")),
    "adam": TrainingSpec(5, 8, {"name": "adam", "lr": 0.001}),
    "rmsprop": TrainingSpec(5, 8, {"name": "rmsprop", "lr": 0.001, "momentum": 0.9}),
    "SAM, dropout and augmentation": TrainingSpec(
        5, 8, SGD, sam_rho=0.05, augmentation=Augmentation(1, 0, 0.5), dropout=0.3
    ),
    "kfac": TrainingSpec(5, 8, KFAC, Schedule("cosine"), dropout=0.3),
    "kfac with SAM": TrainingSpec(5, 8, KFAC | {"momentum": 0.0}, sam_rho=0.05),
    "gdtuo": TrainingSpec(5, 8, GDTUO),
    "gdtuo with SAM": TrainingSpec(5, 8, GDTUO, sam_rho=0.05, dropout=0.3),
    "swa": TrainingSpec(5, 8, SGD, averaging={"name": "swa", "start": 0.2}),
    "swa with kfac": TrainingSpec(5, 8, KFAC, averaging={"name": "swa", "start": 0.6}),
    "ema with SAM, dropout and augmentation": TrainingSpec(
        *(5, 8, SGD),
        sam_rho=0.05,
        augmentation=Augmentation(1, 0, 0.5),
        dropout=0.3,
        averaging={"name": "ema", "decay": 0.9},
    ),
}


@pytest.mark.parametrize("spec", RESUMABLE.values(), ids=RESUMABLE)
def test_an_interrupted_training_ends_with_the_same_bytes(spec, tmp_path):
    undisturbed = resnet(spec.dropout)
    expected = train(undisturbed, image_data(), spec, seed=2)
    path = tmp_path / "checkpoint.safetensors"
    for epochs in (1, 3):
        with pytest.raises(TrainingInterruptedError):
            train(
                resnet(spec.dropout), image_data(), spec, 2, InterruptedAfter(path, "run", epochs)
            )
    resumed = resnet(spec.dropout)
    history = train(resumed, image_data(), spec, 2, CheckpointFile(path, "run"))
    state = undisturbed.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in resumed.state_dict().items())
    timing = {"seconds", "samples_per_second"}
    for a, b in zip(history, expected, strict=True):
        assert {k: a[k] for k in a if k not in timing} == {k: b[k] for k in b if k not in timing}


def test_a_checkpoint_of_another_run_is_not_continued(tmp_path):
    path, spec = tmp_path / "checkpoint.safetensors", RESUMABLE["adam"]
    with pytest.raises(TrainingInterruptedError):
        train(resnet(), image_data(), spec, 2, InterruptedAfter(path, "another run", 2))
    fresh, other = resnet(), resnet()
    train(fresh, image_data(), spec, 5)
    train(other, image_data(), spec, 5, CheckpointFile(path, "run"))
    state = fresh.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())


def test_a_truncated_checkpoint_is_refused_by_name(tmp_path):
    path, spec = tmp_path / "checkpoint.safetensors", RESUMABLE["adam"]
    with pytest.raises(TrainingInterruptedError):
        train(resnet(), image_data(), spec, 2, InterruptedAfter(path, "run", 1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: .*delete it and run again"):
        train(resnet(), image_data(), spec, 2, CheckpointFile(path, "run"))
