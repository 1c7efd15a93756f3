"""Eigenvalues at the ends of a symmetric operator's spectrum, with their residuals."""

from dataclasses import dataclass
from typing import Literal

import torch

from ..errors import InputError
from .operator import Curvature

End = Literal["largest", "smallest"]

# Vectors of a product. One by one takes the fewest products (docs/benchmarks.md), but would find
# an eigenvalue that is there twice only once.
BLOCK = 2
# Vectors of the basis, each kept with its image, beyond which it is restarted.
LARGEST_BASIS = 48
# What a residual may be where an eigenvalue is 0, in units of rounding times the spectrum's size.
ROUNDING = 16
# Share of the spectrum's size that the accuracy of a smaller eigenvalue at the lower end is
# relative to.
SHARE = 0.1


@dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues at one end of a symmetric operator's spectrum.

    Attributes:
        values: the outermost first; those that converged.
        residuals: ‖Hv − λv‖ of each; there is an eigenvalue at most that far away.
        vectors: v of each, [P, k], of unit norm.
        converged: whether all that were asked for did.
        products: with vectors, that it took.
        tolerance: that was asked for.
    """

    values: list[float]
    residuals: list[float]
    vectors: torch.Tensor
    converged: bool
    products: int
    tolerance: float


def extreme_eigenvalues(
    operator: Curvature,
    count: int,
    generator: torch.Generator,
    tolerance: float = 1e-3,
    max_iterations: int = 300,
    end: End = "largest",
    start: torch.Tensor | None = None,
) -> Eigenvalues:
    """Return the largest or smallest eigenvalues, by block Lanczos with thick restart.

    The estimates are the eigenvalues of the operator's projection on the vectors so far (Rayleigh
    & Ritz). Each step adds the residuals of the outermost ones that have not converged, so that the
    vectors span the Krylov space of the first ones (Golub & Underwood 1977), and a basis that has
    grown too large is reduced to its outermost Ritz vectors (Wu & Simon 2000). All vectors stay on
    the operator's device.

    Each value is within its residual of an eigenvalue; where the next eigenvalue is a gap δ away,
    it is even within residual²/δ. That no eigenvalue lies beyond the outermost is not certain:
    a random start misses one with a probability that falls exponentially with the steps
    (Kuczyński & Woźniakowski 1992).

    Args:
        operator: symmetric.
        count: how many; all of a small operator at most.
        generator: of the starting vectors, on the operator's device.
        tolerance: largest residual, relative to the eigenvalue; at the lower end relative to a
            tenth of the spectrum's size where that is more, since an eigenvalue may be 0 there.
        max_iterations: steps, of at most two products each.
        end: of the spectrum; the smallest eigenvalues are the most negative ones.
        start: a vector [P] near an eigenvector, where one is known. A random vector of the same
            norm is added to it, so that no eigenvector is left out.

    Raises:
        InputError: not a single eigenvalue converged.
    """
    before, size, block = operator.products, operator.shape[0], min(count, BLOCK)
    kind = {"dtype": operator.dtype, "device": operator.device}
    capacity = max(LARGEST_BASIS, 3 * count)
    if size <= capacity + block:
        basis = torch.eye(size, **kind)
    else:
        basis = torch.randn(size, block, generator=generator, **kind)
        if start is not None and start.any():
            basis[:, 0] += start * (basis[:, 0].norm() / start.norm())
        basis = _orthonormal(basis)
    space = _RitzSpace.of(basis, operator @ basis, end)
    pairs = space.pairs(count)
    for _ in range(max_iterations - 1):
        missing = (~pairs.converged(tolerance, count)).nonzero()[:block, 0]
        if len(missing) == 0 or basis.shape[1] == size:
            break
        fresh = torch.randn(size, block, generator=generator, **kind)
        if space.basis.shape[1] + block > capacity:
            space = space.reduced(capacity // 2)
        new = _orthonormal(pairs.directions(missing, fresh), space.basis)
        space = space.extended(new, operator @ new)
        pairs = space.pairs(count)
    found = pairs.converged(tolerance, min(count, size))
    if not found.any():
        raise InputError(
            f"no eigenvalue of the matrix converged to {tolerance:g} in {max_iterations}"
            " iterations; raise sharpness.hessian.max_iterations or tolerance, or use dtype float64"
        )
    chosen = found.nonzero()[:, 0]
    return Eigenvalues(
        pairs.values[chosen].tolist(),
        pairs.norms[chosen].tolist(),
        pairs.vectors[:, chosen],
        bool(found.all()),
        operator.products - before,
        tolerance,
    )


@dataclass(frozen=True)
class _RitzPairs:
    """The outermost Ritz pairs of a space.

    Attributes:
        vectors: v, [P, k], of unit norm.
        values: vᵀ H v, [k] in float64, the outermost first.
        residuals: H v − λ v, [P, k].
        norms: of these, [k] in float64.
        end: which is outermost.
        size: largest absolute Ritz value, about the size of the spectrum.
    """

    vectors: torch.Tensor
    values: torch.Tensor
    residuals: torch.Tensor
    norms: torch.Tensor
    end: End
    size: float

    def converged(self, tolerance: float, count: int) -> torch.Tensor:
        """Return which pairs have a residual as small as wanted, [count]."""
        scale = self.values.abs()
        if self.end == "smallest":
            scale = scale.clamp_min(SHARE * self.size)
        found = self.norms <= (tolerance * scale).clamp_min(self._rounding)
        return torch.cat([found, found.new_zeros(count - len(found))])

    @property
    def _rounding(self) -> float:
        return ROUNDING * torch.finfo(self.vectors.dtype).eps * self.size

    def directions(self, chosen: torch.Tensor, fresh: torch.Tensor) -> torch.Tensor:
        """Return the residuals of chosen pairs, or a fresh vector where there is none."""
        columns = [
            self.residuals[:, index]
            if index < len(self.values) and self.norms[index] > self._rounding
            else fresh[:, column]
            for column, index in enumerate(chosen.tolist())
        ]
        return torch.stack(columns, 1)


@dataclass(frozen=True)
class _RitzSpace:
    """An orthonormal basis with its images, and the eigenpairs of the operator's projection on it.

    Attributes:
        basis: V, [P, m].
        images: H V, [P, m].
        values: of Vᵀ H V, [m] in float64, the outermost first.
        coordinates: of the Ritz vectors in the basis, [m, m].
        end: which is outermost.
    """

    basis: torch.Tensor
    images: torch.Tensor
    values: torch.Tensor
    coordinates: torch.Tensor
    end: End

    @classmethod
    def of(cls, basis: torch.Tensor, images: torch.Tensor, end: End) -> "_RitzSpace":
        """Project the operator whose images of a basis these are."""
        projected = (basis.T @ images).double()
        values, coordinates = torch.linalg.eigh((projected + projected.T) / 2)
        if end == "largest":
            values, coordinates = values.flip(0), coordinates.flip(1)
        return cls(basis, images, values, coordinates.to(basis.dtype), end)

    def pairs(self, count: int) -> _RitzPairs:
        """Return the outermost Ritz pairs."""
        vectors = self.basis @ self.coordinates[:, :count]
        images = self.images @ self.coordinates[:, :count]
        # Vectors of a basis that is orthonormal up to rounding are not quite of unit norm.
        norms = vectors.double().norm(dim=0).to(vectors.dtype)
        vectors, images = vectors / norms, images / norms
        values = (vectors * images).sum(0, dtype=torch.float64)
        residuals = images - vectors * values.to(vectors.dtype)
        size = self.values.abs().max().item()
        return _RitzPairs(
            vectors, values, residuals, residuals.double().norm(dim=0), self.end, size
        )

    def reduced(self, count: int) -> "_RitzSpace":
        """Return the space of the outermost Ritz vectors alone."""
        kept = self.coordinates[:, :count]
        return _RitzSpace.of(self.basis @ kept, self.images @ kept, self.end)

    def extended(self, vectors: torch.Tensor, images: torch.Tensor) -> "_RitzSpace":
        """Return the space with more vectors, orthonormal to its own."""
        basis = torch.cat([self.basis, vectors], 1)
        return _RitzSpace.of(basis, torch.cat([self.images, images], 1), self.end)


def _orthonormal(vectors: torch.Tensor, basis: torch.Tensor | None = None) -> torch.Tensor:
    """Return an orthonormal basis of vectors [P, k] without what lies in another basis.

    Twice, since what is left of a vector that lies in that basis is rounding. In float64, since
    the norm of a long vector in float32 is off by more than the rounding of one number.
    """
    for _ in range(2):
        if basis is not None:
            vectors = vectors - basis @ (basis.T @ vectors)
        vectors = torch.linalg.qr(vectors.double())[0].to(vectors.dtype)
    return vectors
