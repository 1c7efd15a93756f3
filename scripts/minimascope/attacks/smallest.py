"""The smallest radius at which an attack fools a network, of each sample."""

import math
from collections.abc import Sequence
from functools import partial

import torch

from ..ascent.ball import distances, of_rows
from ..batches import in_batches
from ..errors import InputError
from .attack import Attacked, Attacker, together
from .inputs import evaluation_mode, largest_radius

# How often the way from an input to an example is halved.
HALVINGS = 10
# A bracket this narrow, as a share of the radius, is not halved again.
NARROW = 0.01
BISECTIONS = 8


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

    Raises:
        InputError: inputs that are not finite.
    """

    def __init__(self, attacker: Attacker, inputs: torch.Tensor, labels: torch.Tensor):
        if not inputs.isfinite().all():
            raise InputError("attack: the inputs hold NaN or infinite values; take these out")
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
            InputError: the radius is not above 0 and finite, as the largest one of inputs that are
                all one number is not; see `Attacker.attacked`, too.
        """
        if not 0 < radius < math.inf:
            why = ", since the inputs are all one number" if not self.largest_radius else ""
            raise InputError(
                f"attack: its radius is {radius:g}{why}; give a finite one greater than 0"
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
