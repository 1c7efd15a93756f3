"""Balls of many rows at once, each within a box: steps, projections and random points."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from . import Norm

# How often the projection on a ball and a box together looks anew which entries the box holds back.
PASSES = 3


@dataclass(frozen=True)
class Ball:
    """A ball around each of n points, and a box that none of its points may leave.

    Attributes:
        centre: [n, …].
        radius: of each ball, [n], above 0.
        norm: ``l2`` (Euclidean) or ``linf`` (largest entry), of a row as one vector.
        box: the smallest and the largest value of an entry; None for no box. The centres lie in it.
    """

    centre: torch.Tensor
    radius: torch.Tensor
    norm: Norm
    box: tuple[float, float] | None = None

    def rows(self, rows: torch.Tensor) -> "Ball":
        """Return the balls of some rows, by number or by mask."""
        return replace(self, centre=self.centre[rows], radius=self.radius[rows])

    def stepped(
        self, points: torch.Tensor, gradients: torch.Tensor, sizes: torch.Tensor
    ) -> torch.Tensor:
        """Return points after steps of some sizes [n] in the directions of steepest ascent.

        Directions have norm 1: the sign of the gradient for ``linf``, the gradient over its length
        for ``l2``. A gradient of 0 moves nothing.
        """
        if self.norm == "linf":
            directions = gradients.sign()
        else:
            smallest = torch.finfo(gradients.dtype).tiny
            directions = gradients / of_rows(lengths(gradients).clamp(min=smallest), gradients)
        return self.projected(points + of_rows(sizes, points) * directions)

    def projected(self, points: torch.Tensor) -> torch.Tensor:
        """Return the nearest points of the balls; with a box, of what both have in common.

        For ``l2`` with a box that is min(t |d|, b) along each entry of the move d, b being the
        room in the box and t ≤ 1 the share at which the whole has the length of the radius. It is
        found from below, entries that the box holds back being taken out: after `PASSES` a move can
        still be too short, but never too long.
        """
        if self.norm == "linf":
            return points.clamp(*self._bounds)
        moves = points - self.centre
        share = (self.radius / lengths(moves)).clamp(max=1)
        if self.box is None:
            return self.centre + moves * of_rows(share, moves)
        low, high = self.box
        sizes, room = moves.abs(), torch.where(moves > 0, high - self.centre, self.centre - low)
        inside = lengths(sizes.minimum(room)) <= self.radius
        for _ in range(PASSES):
            held = sizes * of_rows(share, sizes) >= room
            left = self.radius.square() - lengths(room * held).square()
            free = lengths(sizes * ~held)
            share = share.maximum((left.clamp(min=0).sqrt() / free).clamp(max=1))
        share = torch.where(inside, 1, share)
        return (self.centre + moves * of_rows(share, moves)).clamp(low, high)

    @cached_property
    def _bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        radius = of_rows(self.radius, self.centre)
        low, high = self.centre - radius, self.centre + radius
        return (low, high) if self.box is None else (low.clamp(*self.box), high.clamp(*self.box))

    def moved(self, draws: torch.Tensor) -> torch.Tensor:
        """Return the centres moved by draws from `in_unit_ball` times the radius, in the box."""
        points = self.centre + of_rows(self.radius, self.centre) * draws.to(self.centre)
        return points if self.box is None else points.clamp(*self.box)


def in_unit_ball(
    shape: Sequence[int],
    norm: Norm,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
) -> torch.Tensor:
    """Return random points [n, …] of n balls of radius 1 around 0, on the generator's device.

    They are uniform for ``linf``, and for ``l2`` uniform on the surface.
    """
    draws = torch.empty(shape, dtype=dtype, device=generator.device)
    if norm == "linf":
        return draws.uniform_(-1, 1, generator=generator)
    draws.normal_(generator=generator)
    return draws / of_rows(lengths(draws), draws)


def distances(moves: torch.Tensor, norm: Norm) -> torch.Tensor:
    """Return how far moves [n, …] lead in a norm, [n]."""
    return lengths(moves) if norm == "l2" else moves.flatten(1).abs().amax(1)


def lengths(rows: torch.Tensor) -> torch.Tensor:
    """Return the Euclidean norm of each row of [n, …], [n]."""
    return torch.linalg.vector_norm(rows.flatten(1), dim=1)


def of_rows(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return a value for each row, [n], in the shape that multiplies rows [n, …]."""
    return values.reshape(-1, *[1] * (rows.ndim - 1))
