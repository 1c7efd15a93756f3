"""The smallest radius at which an attack fools a network, of each sample."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from ..ascent import Norm
from ..ascent.ball import distances, of_rows
from ..batches import in_batches
from ..errors import InputError
from ..networks.normalised import in_units
from .attack import BATCH_SIZE, Attacked, Attacker, together
from .inputs import box_of, evaluation_mode, largest_radius
from .spec import AttackSpec

# How often the way from an input to an example is halved.
HALVINGS = 10
# A bracket this narrow, as a share of the radius, is not halved again.
NARROW = 0.01
BISECTIONS = 8


def smallest_radii(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    norm: Norm = "l2",
    spec: AttackSpec | None = None,
    *,
    largest: float | None = None,
    bisections: int = BISECTIONS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> torch.Tensor:
    """Return the smallest radius found at which an attack fools a network, of each sample, [n].

    It is the distance of an example that fools, so the distance to the decision boundary is at most
    that. 0 for samples that are misclassified as they are; infinite where not even the attack at
    the largest radius succeeds.

    Args:
        model: from inputs to logits [n, classes]; as it was after the call.
        inputs: as they are stored, on the model's device: bytes of pictures, whose radii are
            fractions of the range and whose examples stay in it, or features, [n, …].
        labels: [n].
        norm: of the distance.
        spec: the attack; Auto-PGD on cross-entropy and the ratio of logits for None.
        largest: radius at which the search begins; None for one at which inputs can become any
            others.
        bisections: attacks on brackets of the radius that it is narrowed down with.
        seed: of random restarts.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: the network has no gradient with respect to its inputs, a loss needs more
            classes, or features are all one number and no largest radius is given.
    """
    attacker = Attacker(
        model, norm, spec or AttackSpec(), box_of(inputs), seed=seed, batch_size=batch_size
    )
    return Search(attacker, in_units(inputs), labels).smallest(largest, bisections)


class Search:
    """What is known of the smallest radius of each sample, from attacks at some radii.

    Attributes:
        largest_radius: at which every input can become any other, or any in the box.
        radii: the smallest distance of an example, [n]; 0 for samples that are misclassified, and
            infinite where none is known.
        failed: the largest radius at which attacks failed, [n].

    Args:
        attacker: what attacks.
        inputs: in the units of radii, [n, …].
        labels: [n].
    """

    def __init__(self, attacker: Attacker, inputs: torch.Tensor, labels: torch.Tensor):
        self.attacker, self.inputs, self.labels = attacker, inputs, labels
        self.largest_radius = largest_radius(inputs, attacker.norm, attacker.box)
        right = attacker.predicted(inputs) == labels
        self.failed = inputs.new_zeros(len(labels))
        self.radii = torch.where(right, torch.inf, self.failed)

    def smallest(self, largest: float | None = None, bisections: int = BISECTIONS) -> torch.Tensor:
        """Return the radii after an attack at the largest radius, narrowed down, [n]."""
        self.attack(self.largest_radius if largest is None else largest)
        self.narrow(bisections)
        return self.radii

    def attack(self, radius: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Attack all samples that nothing has fooled yet, at one radius.

        Returns:
            The numbers of these samples, [m], and what fooled each of them (`Attacked.by`).

        Raises:
            InputError: the radius is not above 0, as the largest one of inputs that are all one
                number; see `Attacker.attacked`, too.
        """
        if not radius > 0:
            raise InputError(
                f"attack: its radius is {radius:g}, since the inputs are all one number or it was"
                " given so; give inputs that differ, or a radius greater than 0"
            )
        rows = self.radii.isinf().nonzero()[:, 0]
        found = self._at(rows, self.inputs.new_full((len(rows),), radius))
        return rows, found.by

    def narrow(self, bisections: int) -> None:
        """Attack samples that were fooled in the middle of what is known of their radius."""
        for _ in range(bisections):
            wide = (self.radii - self.failed > NARROW * self.radii) & self.radii.isfinite()
            rows = wide.nonzero()[:, 0]
            if not len(rows):
                return
            self._at(rows, (self.failed[rows] + self.radii[rows]) / 2)

    def _at(self, rows: torch.Tensor, radii: torch.Tensor) -> Attacked:
        """Attack some samples at a radius for each, and keep what that tells."""
        found = self.attacker.attacked(self.inputs[rows], self.labels[rows], radii)
        fooled, hit = found.fooled, rows[found.fooled]
        self.failed[rows[~fooled]] = torch.maximum(self.failed[rows], radii)[~fooled]
        if len(hit):
            parts = self.inputs[hit], self.labels[hit], found.examples[fooled]
            with evaluation_mode(self.attacker.model), torch.no_grad():
                (nearest,) = in_batches(
                    partial(together, self._nearest), parts, self.attacker.batch_size
                )
            self.radii[hit] = self.radii[hit].minimum(nearest)
        return found

    def _nearest(self, batch: Sequence[torch.Tensor]) -> tuple[torch.Tensor]:
        """Return the smallest distance found on the straight ways to examples that fool."""
        inputs, labels, examples = batch
        moves = examples - inputs
        low, high = torch.zeros(2, len(inputs), dtype=inputs.dtype, device=inputs.device)
        high = high + 1
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            logits = self.attacker.model(inputs + of_rows(middle, moves) * moves)
            fooled = logits.argmax(1) != labels
            low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)
        return (high * distances(moves, self.attacker.norm),)
