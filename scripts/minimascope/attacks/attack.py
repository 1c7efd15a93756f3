"""Attacks on the inputs of a network, all samples of a batch at once.

Gradients are taken with respect to inputs alone, in evaluation mode: parameters get none, and the
model is as it was. Samples that are fooled do not go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ..ascent import Norm
from ..ascent.auto_pgd import Evaluate, Seen, largest_values
from ..ascent.ball import Ball, in_unit_ball
from ..ascent.pgd import ascended
from ..batches import Batches, in_batches
from ..errors import InputError
from ..evaluation.predict import predict
from ..seeding import generator
from .inputs import Box, evaluation_mode
from .losses import LOSSES
from .spec import NORMS, AttackSpec, Loss, check_name

BATCH_SIZE = 1024
NO_GRADIENT = (
    "adversarial: the network has no gradient with respect to its inputs (something in it rounds,"
    " counts or detaches), without which no attack finds a way; leave adversarial out, or let the"
    " network be differentiable"
)
REENTRANT = (
    "adversarial: the network has no gradient with respect to its inputs, since it runs"
    " torch.utils.checkpoint with use_reentrant=True; set that to False, or leave adversarial out"
)
# What `Attacked.by` has for samples that no attack fooled.
STANDING = -1


@dataclass(frozen=True)
class Attacked:
    """What attacks have made of n inputs.

    Attributes:
        examples: the first one that fooled the network, or the input itself, [n, …].
        by: number of the round of `AttackSpec.rounds` that did it, or `STANDING`, int8 [n].
    """

    examples: torch.Tensor
    by: torch.Tensor

    @property
    def fooled(self) -> torch.Tensor:
        """Whether the network is fooled, bool [n]."""
        return self.by != STANDING


@dataclass(frozen=True)
class Attacker:
    """Attacks on one network within balls of one norm.

    Attributes:
        model: from inputs to logits [n, classes].
        norm: of the balls.
        spec: the attacks, of which a sample sees the next one if those before failed.
        box: that inputs must not leave; None for features, which have no range.
        seed: names the stream of random starts, the same for every network.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: another norm.
    """

    model: nn.Module
    norm: Norm
    spec: AttackSpec
    box: Box | None = None
    seed: int = 0
    batch_size: int = BATCH_SIZE

    def __post_init__(self):
        check_name("norm", self.norm, NORMS)

    def predicted(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the classes that the network predicts of inputs, [n]."""
        with evaluation_mode(self.model):
            return predict(self.model, inputs, self.batch_size).argmax(1)

    def attacked(self, inputs: torch.Tensor, labels: torch.Tensor, radii: torch.Tensor) -> Attacked:
        """Search for inputs in balls that the network does not classify as their labels say.

        Args:
            inputs: the centres, floating, in the units of the radii, [n, …].
            labels: [n].
            radii: of each ball, [n].

        Raises:
            InputError: the network has no gradient with respect to its inputs, or a loss needs more
                classes.
        """
        examples = inputs.clone()
        by = torch.full(labels.shape, STANDING, dtype=torch.int8, device=labels.device)
        for number, (loss, start) in enumerate(self.spec.rounds):
            rows = (by == STANDING).nonzero()[:, 0]
            if not len(rows):
                break
            parts = [inputs[rows], labels[rows], radii[rows]]
            if start:
                draws = generator(self.seed, "attack", start)
                parts.append(in_unit_ball(inputs.shape, self.norm, draws).to(inputs)[rows])
            run = partial(self._fooling, loss)
            with evaluation_mode(self.model):
                found, fooled = in_batches(partial(together, run), parts, self.batch_size)
            examples[rows[fooled]] = found[fooled]
            by[rows[fooled]] = number
        return Attacked(examples, by)

    def worst_inputs(
        self, inputs: torch.Tensor, labels: torch.Tensor, radii: torch.Tensor
    ) -> torch.Tensor:
        """Return the inputs of largest loss that a search finds in balls, [n, …], fooled or not.

        It starts from the inputs themselves and raises the first of the losses; for the arguments
        and errors see `attacked`.
        """

        def run(batch: Sequence[torch.Tensor]) -> tuple[torch.Tensor]:
            start, labels, radii = batch
            evaluate = gradients_of(self.model, labels, self.spec.losses[0])
            return (self._climbed(evaluate, start, self._ball(start, radii)),)

        parts = (inputs, labels, radii)
        with evaluation_mode(self.model):
            return in_batches(partial(together, run), parts, self.batch_size)[0]

    def _ball(self, centres: torch.Tensor, radii: torch.Tensor) -> Ball:
        return Ball(centres, radii, self.norm, self.box)

    def _climbed(self, evaluate: Evaluate, start: torch.Tensor, ball: Ball) -> torch.Tensor:
        if self.spec.attack == "apgd":
            return largest_values(evaluate, start, ball, self.spec.steps)[1]
        return ascended(evaluate, start, ball, self.spec.steps_taken)

    def _fooling(
        self, loss: Loss, batch: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return examples of a batch, and which of them fool the network."""
        inputs, labels, radii, *draws = batch
        ball = self._ball(inputs, radii)
        examples, fooled = inputs.clone(), torch.zeros_like(labels, dtype=torch.bool)

        def note(points: torch.Tensor, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            wrong = logits.argmax(1) != labels[rows]
            first = (wrong & ~fooled[rows]).reshape(-1, *[1] * (points.ndim - 1))
            examples[rows] = torch.where(first, points, examples[rows])
            fooled[rows] |= wrong
            return wrong

        evaluate = gradients_of(self.model, labels, loss, note)
        last = self._climbed(evaluate, ball.moved(draws[0]) if draws else inputs, ball)
        # Auto-PGD has seen all of its points; the others have not seen their last one.
        if self.spec.attack != "apgd":
            with torch.no_grad():
                note(last, self.model(last), torch.arange(len(labels), device=labels.device))
        return examples, fooled


# From points, their logits and the numbers of their rows to which of them need not go on.
Note = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Run = Callable[[Sequence[torch.Tensor]], tuple[torch.Tensor, ...]]


def together(run: Run, batches: Batches) -> tuple[torch.Tensor, ...]:
    """Return what a function of a batch returns of all, put together."""
    return tuple(map(torch.cat, zip(*map(run, batches), strict=True)))


def gradients_of(
    model: nn.Module, labels: torch.Tensor, loss: Loss, note: Note | None = None
) -> Evaluate:
    """Return what computes the loss of samples and its gradients with respect to them.

    Args:
        model: in evaluation mode.
        labels: of all samples, [n].
        loss: of `LOSSES`.
        note: takes points, logits and numbers of rows, and returns which rows need not go on; None
            where all do.
    """

    @torch.enable_grad()
    def evaluate(points: torch.Tensor, rows: torch.Tensor) -> Seen:
        points = points.detach().requires_grad_()
        logits = model(points)
        if not logits.requires_grad:
            raise InputError(NO_GRADIENT)
        if loss == "dlr" and logits.shape[1] < 3:
            raise InputError(
                "evaluation.adversarial.losses: dlr needs three classes; write [ce] for two"
            )
        values = LOSSES[loss](logits, labels[rows])
        try:
            (gradients,) = torch.autograd.grad(values.sum(), points, allow_unused=True)
        except RuntimeError as error:
            if "use_reentrant" not in str(error):
                raise
            raise InputError(REENTRANT) from error
        if gradients is None:
            raise InputError(NO_GRADIENT)
        done = note(points.detach(), logits.detach(), rows) if note else None
        return Seen(values.detach(), gradients, done)

    return evaluate
