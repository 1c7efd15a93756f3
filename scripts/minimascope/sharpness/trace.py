"""The trace of an operator from products with random vectors, with its standard error."""

from dataclasses import dataclass

import torch
from curvlinops._torch_base import PyTorchLinearOperator

from ..errors import InputError
from .estimate import standard_error


@dataclass(frozen=True)
class Trace:
    """An estimate of a trace.

    Attributes:
        value: the trace.
        standard_error: 0 where the trace is exact.
        products: with vectors, that it took.
    """

    value: float
    standard_error: float
    products: int


def hutchpp_trace(
    operator: PyTorchLinearOperator, products: int, generator: torch.Generator
) -> Trace:
    """Return the Hutch++ estimate (Meyer, Musco, Musco & Woodruff 2021, arXiv:2010.09649).

    A third of the products finds a basis Q of the directions in which the operator is largest, a
    third gives the trace there exactly, and the last third is Hutchinson's estimator in their
    complement, with test vectors that Q knows nothing of. These terms are independent, so their
    spread gives an honest standard error: the estimates of XTrace (Epperly et al. 2024,
    arXiv:2301.07825) share their vectors, and scattered up to 1.5 times as much as theirs says.
    If the vectors would span the whole space, the trace is computed from unit vectors.

    Args:
        operator: symmetric, [P, P].
        products: with vectors, a multiple of 3 of at least 6; fixed beforehand, since stopping
            when the running mean looks calm biases it. Memory is ``products`` · P numbers. The
            error has products/3 − 1 degrees of freedom: the exact trace is within 2 errors in
            91 to 97 % of draws from 30 products on, but in 63 to 73 % with 6.
        generator: of the random vectors, on the operator's device.

    Raises:
        InputError: another number of products.
    """
    if products < 6 or products % 3:
        raise InputError(f"trace_products: {products} is no multiple of 3 of at least 6; use 99")
    size, count = operator.shape[0], products // 3
    if size <= products:
        identity = torch.eye(size, dtype=operator.dtype, device=operator.device)
        return Trace((operator @ identity).double().trace().item(), 0.0, size)
    basis, _ = torch.linalg.qr(operator @ _signs(operator, count, generator))
    in_basis = (basis * (operator @ basis)).double().sum()
    tests = _signs(operator, count, generator)
    tests -= basis @ (basis.T @ tests)
    outside = (tests * (operator @ tests)).double().sum(0)
    value = in_basis + outside.mean()
    return Trace(value.item(), standard_error(outside), products)


def _signs(operator: PyTorchLinearOperator, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return random vectors of +1 and -1, [P, count]."""
    shape = (operator.shape[0], count)
    draws = torch.randint(0, 2, shape, generator=generator, device=operator.device)
    return 2 * draws.to(operator.dtype) - 1
