"""One training loop for every network, condition and optimiser.

A run's result depends only on (initial weights, data, specification, seed): the order of
the data is drawn from (seed, epoch), augmentation, attacks, dropout and what the optimiser draws
from streams of their own, and the learning rate is a function of time, or state of an optimiser
that tunes it. A run that resumes at the start of an epoch therefore ends with the same bytes as one
that was never interrupted. An average of weights draws nothing: what is trained is the same without
it.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from . import optim
from .attacks.spec import AdversarialSpec
from .attacks.training import adversarial_batch
from .batch_of_one import batch_of_one, few_held_out, held_out
from .batches import enough_memory
from .batchnorm import NormLayer
from .checkpoints import CheckpointFile, Progress
from .data.augment import Augmentation, augment
from .data.prepared import Dataset, Split
from .data.sampling import Sampling, epoch_order
from .devices import (
    algorithms,
    autocast,
    compiled,
    fastest_memory_format,
    in_memory_format,
    laid_out,
    precision,
)
from .errors import InputError
from .evaluation.predict import loss_and_accuracy, predict
from .jobs.progress import progress
from .optim.sam import SAM, mean_sam_gradient
from .schedule import Schedule
from .seeding import generator
from .snapshot_files import SnapshotFiles
from .snapshots import Moment, Unit
from .streams import derive_seed
from .training_losses import mean_loss

REMEDY = "lower training.optimizer.lr"
# Evaluations on the test split in a run, unless the specification says how often.
TESTS = 10


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that decides how a network is trained.

    Attributes:
        epochs: passes over the training split.
        batch_size: inputs per step; the last batch of an epoch may be smaller. None for all of
            the training split.
        optimizer: ``{"name": …, "lr": …, …}`` for `optim.build`.
        schedule: of the learning rate; without effect on an optimiser that sets its own.
        loss: a name of `training_losses.TRAINING_LOSSES`.
        sam: sharpness-aware minimisation, or None for the plain gradient.
        augmentation: of the training inputs, or None.
        adversarial: what every batch is attacked with first, augmented as it is, or None. The loss
            and the hits of a history are then those on attacked inputs, those on the test split are
            on inputs as they are.
        sampling: which samples an epoch shows (`data.sampling.epoch_order`).
        label_smoothing: share of the target spread over all classes.
        dropout: probability, used when the network is built.
        norm: of the network in place of its own, likewise; None for its own.
        precision: ``fp32``, ``tf32`` or ``bf16``.
        test_every: epochs from one evaluation on the test split to the next; the last epoch always
            has one. None for a tenth of the epochs, rounded up.
        averaging: ``{"name": …, …}`` for `optim.build_average`: the average of the weights that
            the model ends with; None for the weights after the last step. Its ``validation`` is
            the share of the training split that is held out, for averages that want one.
        compile: whether the forward and backward passes of the training steps are compiled first.
        deterministic: whether kernels are used only if they give the same bytes each time.
    """

    epochs: int
    batch_size: int | None
    optimizer: Mapping[str, Any]
    schedule: Schedule = field(default_factory=Schedule)
    loss: str = "cross_entropy"
    sam: SAM | None = None
    augmentation: Augmentation | None = None
    adversarial: AdversarialSpec | None = None
    sampling: Sampling = "shuffled"
    label_smoothing: float = 0.0
    dropout: float = 0.0
    norm: str | None = None
    precision: str = "fp32"
    test_every: int | None = None
    averaging: Mapping[str, Any] | None = None
    compile: bool = False
    deterministic: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "TrainingSpec":
        """Build the specification from a resolved ``training`` section of a configuration."""
        config = dict(config)
        if config["batch_size"] == "full":
            config["batch_size"] = None
        sam, augmentation = config.pop("sam", None), config.pop("augment", None)
        return cls(
            schedule=Schedule.from_config(config.pop("schedule", {})),
            sam=SAM(**sam) if sam else None,
            augmentation=Augmentation.from_config(augmentation),
            adversarial=AdversarialSpec.from_config(config.pop("adversarial", None)),
            **config,
        )


def train(
    model: nn.Module,
    dataset: Dataset,
    spec: TrainingSpec,
    seed: int,
    checkpoint: CheckpointFile | None = None,
    snapshots: SnapshotFiles | None = None,
) -> list[dict[str, float]]:
    """Train a model in place and return its history, one row per epoch.

    The history is that of the weights as they are trained, also where the model ends with an
    average of them; ``averaged`` says of each epoch whether its steps count in one that chooses.

    Args:
        model: on the device where the training is to run; takes the data set's inputs as stored.
        dataset: moved to that device as a whole.
        spec: see `TrainingSpec`.
        seed: names the streams of data order, augmentation, attacks, dropout and the optimiser.
        checkpoint: where an interrupted run continues from, and is kept for the next time.
        snapshots: where weights on the way are kept, if anywhere.

    Raises:
        InputError: the loss became infinite or NaN, a network with BatchNorm would get a batch of
            a single input, too few samples are held out for validation, the schedule or a snapshot
            goes beyond the last batch, or the device cannot do what the specification asks for.
    """
    device = next(model.parameters()).device
    train_split, validation = _held_out(dataset, spec, seed)
    train_split, test_split = train_split.to(device), dataset.test.to(device)
    spec = replace(spec, batch_size=spec.batch_size or len(train_split))
    fault = batch_of_one(spec.batch_size, len(train_split), spec.sam and spec.sam.group_size)
    if fault and any(isinstance(module, NormLayer) for module in model.modules()):
        raise InputError(fault)
    steps = spec.epochs * math.ceil(len(train_split) / spec.batch_size)
    if spec.schedule.per == "batch":
        spec.schedule.check(steps, "training.schedule")
    if snapshots is not None:
        snapshots.check(spec.epochs, steps)
    memory_format = fastest_memory_format(model, device)
    with (
        enough_memory(
            f"training.batch_size: {spec.batch_size} inputs at once are too many; it decides what"
            " is learned, so lower it in the study, or use a GPU with more memory"
        ),
        precision(spec.precision, device),
        algorithms(device, spec.deterministic),
        in_memory_format(model, memory_format),
    ):
        training = _Training(model, train_split, spec, seed, memory_format, snapshots)
        return training.run(test_split, checkpoint, validation and validation.to(device))


def _held_out(dataset: Dataset, spec: TrainingSpec, seed: int) -> tuple[Split, Split | None]:
    """Return what is trained on, and what is held out for validation, if anything is."""
    split, share = dataset.train, (spec.averaging or {}).get("validation")
    if not share:
        return split, None
    if fault := few_held_out(share, len(split), len(dataset.classes)):
        raise InputError(f"training.averaging.validation: {fault}")
    order = torch.randperm(len(split), generator=generator(seed, "validation"))
    order = order.to(split.labels.device)
    size = held_out(share, len(split))
    return split.rows(order[size:].sort().values), split.rows(order[:size].sort().values)


class _Training:
    """A network under training.

    ``forward`` computes its logits, and ``draws`` says whether random numbers enter them;
    ``memory_format`` is that of its convolutions; ``average`` averages its weights, if wanted.
    """

    def __init__(
        self,
        model: nn.Module,
        split: Split,
        spec: TrainingSpec,
        seed: int,
        memory_format: torch.memory_format,
        snapshots: SnapshotFiles | None,
    ):
        self.model, self.split, self.spec, self.seed = model, split, spec, seed
        self.memory_format, self.snapshots = memory_format, snapshots
        self.device = split.inputs.device
        self.steps = math.ceil(len(split) / spec.batch_size)
        self.draws = bool(spec.dropout) or any(map(_draws, model.modules()))
        self.forward = model
        if spec.compile:
            group_size = spec.sam and spec.sam.group_size
            size = min(group_size or spec.batch_size, len(split))
            self.forward = compiled(model, size, self.draws, spec.deterministic)
        self.optimizer = optim.build(model, spec.optimizer)
        self.average = optim.build_average(model, spec.averaging) if spec.averaging else None
        self.remedy = getattr(self.optimizer, "remedy", REMEDY) + " or, with SAM, rho"
        if spec.sam and spec.sam.gap_weight is not None:
            self.remedy += " or gap_weight"

    def run(
        self, test_split: Split, checkpoint: CheckpointFile | None, validation: Split | None
    ) -> list[dict[str, float]]:
        """Train to the end, from a checkpoint if there is one, and return the history."""
        model, optimizer, average = self.model, self.optimizer, self.average
        epochs = self.spec.epochs
        test_every = self.spec.test_every or math.ceil(epochs / TESTS)
        done = Progress()
        if checkpoint and not self._lost_snapshots(checkpoint):
            done = checkpoint.restore(model, optimizer, average)
        optim.follow_memory_format(optimizer)
        history = list(done.history)
        if not done.epoch:
            self._keep("epoch", 0, 0)
            self._keep("step", 0, 0)
        for epoch in progress(range(done.epoch, epochs), "training", "epoch", done.epoch):
            row = self._run_epoch(epoch)
            self._keep("epoch", epoch + 1, epoch + 1)
            if validation is not None:
                row["validation_loss"], _ = self._evaluate(validation, "validation", row)
            if average is not None:
                average.after_epoch(model, epoch + 1, epochs)
            last = epoch + 1 == epochs
            if last or (epoch + 1) % test_every == 0:
                loss, accuracy = self._evaluate(test_split, "test", row)
                row |= {"test_loss": loss, "test_accuracy": accuracy}
            history.append(row)
            if validation is not None:
                average.after_validation([each["validation_loss"] for each in history])
            if checkpoint and not last:
                progressed = Progress(epoch + 1, tuple(history))
                checkpoint.save_if_cheap(model, optimizer, progressed, average)
        if average is not None:
            self._end_with_average()
        if hasattr(average, "chosen"):
            chosen = average.chosen(epochs)
            history = [row | {"averaged": chosen.get(row["epoch"], "")} for row in history]
        return history

    def _end_with_average(self) -> None:
        # The data as the next epoch would show them: augmented, and shuffled, since they may be
        # stored class by class, and batches of one class do not have the variance of all.
        epoch = self.spec.epochs
        batches = (inputs for inputs, _, _ in self._batches(epoch))
        draws = derive_seed(self.seed, "dropout", epoch) if self.draws else None
        with _dropout_stream(draws, self.device), autocast(self.spec.precision, self.device):
            self.average.hand_over(self.model, batches)

    def _evaluate(self, split: Split, name: str, row: Mapping[str, float]) -> tuple[float, float]:
        """Return loss and accuracy on a split after the epoch of a row."""
        with autocast(self.spec.precision, self.device):
            logits = predict(self.model, split.inputs)
        loss, accuracy = loss_and_accuracy(logits, split.labels, self.spec.loss)
        # The last step of an epoch can destroy a network whose training losses were all finite.
        if not math.isfinite(loss):
            raise InputError(
                f"training diverged: the {name} loss is {loss} after epoch {row['epoch']},"
                f" at learning rate {row['learning_rate']:g}; {self.remedy}"
            )
        return loss, accuracy

    def _run_epoch(self, epoch: int) -> dict[str, float]:
        start, device, n = time.perf_counter(), self.device, len(self.split)
        fisher_draws = generator(self.seed, "fisher labels", epoch, device=device)
        steps = self.steps
        losses = torch.zeros(steps, dtype=torch.float64, device=device)
        correct = torch.zeros((), dtype=torch.int64, device=device)
        rates, sizes = [], []
        self.model.train()
        for step, (inputs, labels, dropout_seed) in enumerate(self._batches(epoch)):
            rates.append(self._learning_rate(epoch, step, steps))
            sizes.append(len(labels))
            if hasattr(self.optimizer, "observe"):
                with _dropout_stream(dropout_seed, device):
                    self.optimizer.observe(inputs, fisher_draws)
            losses[step], right = self._step(inputs, labels, dropout_seed)
            correct += right
            done = epoch + (step + 1) / steps
            self._keep("step", epoch * steps + step + 1, done)
        self._check_finite(losses, rates, epoch)
        seconds = time.perf_counter() - start
        sizes = torch.tensor(sizes, device=device)
        return {
            "epoch": epoch + 1,
            "learning_rate": float(rates[0]),
            "train_loss": (losses @ sizes.double()).item() / n,
            "train_accuracy": correct.item() / n,
            "test_loss": math.nan,
            "test_accuracy": math.nan,
            "seconds": seconds,
            "samples_per_second": n / seconds,
        }

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, int | None]]:
        """Yield inputs, labels and the seed of dropout, from the streams of an epoch's number."""
        order = epoch_order(self.split, self.spec.sampling, generator(self.seed, "order", epoch))
        draws = generator(self.seed, "augmentation", epoch, device=self.device)
        starts = generator(self.seed, "adversarial", epoch, device=self.device)
        for step, rows in enumerate(order.split(self.spec.batch_size)):
            inputs = self.split.inputs[rows]
            if self.spec.augmentation:
                inputs = augment(inputs, self.spec.augmentation, draws)
            dropout_seed = derive_seed(self.seed, "dropout", epoch, step) if self.draws else None
            inputs, labels = laid_out(inputs, self.memory_format), self.split.labels[rows]
            if self.spec.adversarial:
                inputs = self._attacked(inputs, labels, starts)
            yield inputs, labels, dropout_seed

    def _attacked(
        self, inputs: torch.Tensor, labels: torch.Tensor, starts: torch.Generator
    ) -> torch.Tensor:
        # With the weights at this moment: batches are made one by one. Those for BatchNorm's
        # statistics of an average, too, are attacked with the weights of the last step.
        with autocast(self.spec.precision, self.device):
            found = adversarial_batch(self.model, inputs, labels, self.spec.adversarial, starts)
        return laid_out(found, self.memory_format)

    def _step(
        self, inputs: torch.Tensor, labels: torch.Tensor, dropout_seed: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step; return the loss at the parameters before it and the number of hits."""
        spec, n = self.spec, len(labels)
        hits: dict[int, torch.Tensor] = {}

        def loss(rows: slice, group: int) -> torch.Tensor:
            # The same masks in each pass over a group, and others in another group.
            drawn = dropout_seed is not None and group > 0
            masks = derive_seed(dropout_seed, "group", group) if drawn else dropout_seed
            with _dropout_stream(masks, self.device), autocast(spec.precision, self.device):
                logits = self.forward(inputs[rows])
            # Of the first pass: SAM's second one is at other parameters.
            hits.setdefault(group, (logits.argmax(1) == labels[rows]).sum())
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            return mean_loss(spec.loss, logits, labels[rows], spec.label_smoothing)

        if spec.sam is None:
            self.optimizer.zero_grad(set_to_none=True)
            value = loss(slice(n), 0)
            value.backward()
        else:
            groups = spec.sam.groups(n)
            losses = [partial(loss, rows, group) for group, rows in enumerate(groups)]
            shares = [(rows.stop - rows.start) / n for rows in groups]
            value = mean_sam_gradient(self.model, losses, shares, spec.sam)
        self.optimizer.step()
        if self.average is not None:
            self.average.after_step(self.model)
        return value.detach(), sum(hits.values())

    def _lost_snapshots(self, checkpoint: CheckpointFile) -> bool:
        """Return whether weights are gone that were kept before, and that only training gives."""
        if self.snapshots is None:
            return False
        epochs = checkpoint.epoch
        return epochs > 0 and bool(self.snapshots.missing(epochs, epochs * self.steps))

    def _keep(self, unit: Unit, count: int, epochs: float) -> None:
        """Keep the weights if they are wanted at this moment, with the rate of the last step."""
        moment = Moment(unit, count)
        if self.snapshots is None or moment not in self.snapshots.places:
            return
        # Only here, since to read a rate that is tuned makes the CPU wait for the GPU.
        if not epochs:
            self._learning_rate(0, 0, self.steps)
        step = round(epochs * self.steps)
        place = {"epoch": float(epochs), "step": step, "learning_rate": self._rate()}
        self.snapshots.take(moment, self.model, self.optimizer, **place)

    def _rate(self) -> float:
        """Return the learning rate of the last step."""
        if hasattr(self.optimizer, "learning_rate"):
            return float(self.optimizer.learning_rate)
        return float(self.optimizer.param_groups[0]["lr"])

    def _learning_rate(self, epoch: int, step: int, steps: int) -> float | torch.Tensor:
        """Set the scheduled learning rate, unless the optimiser sets its own; return it."""
        if hasattr(self.optimizer, "learning_rate"):
            return self.optimizer.learning_rate
        factor = self.spec.schedule.factor(epoch, step, self.spec.epochs, steps)
        rate = self.spec.optimizer["lr"] * factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _check_finite(
        self, losses: torch.Tensor, rates: Sequence[float | torch.Tensor], epoch: int
    ) -> None:
        # Once per epoch: asking after each step would make the CPU wait for the GPU.
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = int(bad[0])
            raise InputError(
                f"training diverged: the loss is {losses[step].item()} in epoch {epoch + 1},"
                f" step {step + 1}, at learning rate {float(rates[step]):g}; {self.remedy}"
            )


def _draws(module: nn.Module) -> bool:
    # Dropout layers of all kinds have p; attention and recurrent layers have a number dropout, and
    # networks of timm a rate of dropout, and of whole paths.
    rates = (getattr(module, name, None) for name in ("p", "dropout", "drop_rate", "drop_prob"))
    return any(isinstance(rate, (int, float)) and rate > 0 for rate in rates)


@contextmanager
def _dropout_stream(seed: int | None, device: torch.device) -> Iterator[None]:
    """Seed what dropout draws inside the block; it takes no generator of its own.

    Both passes of a SAM step thus draw the same masks, and so does a resumed run.
    """
    if seed is None:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
