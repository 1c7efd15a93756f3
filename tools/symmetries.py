"""Find out which measure survives which symmetry, and write the table of docs/measures.md.

A small network is trained, and made again along each of its symmetries, so that its outputs stay
the same. A measure survives (yes) where it stays the same with the same draws; it does so on
average where new draws are all that changes it, and otherwise (no) it is another number.
"""

import copy
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from minimascope.data.prepared import Split
from minimascope.measurement import Measurement
from minimascope.networks.vit_standard import SelfAttention
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject

PAGE = Path(__file__).parents[1] / "docs" / "measures.md"
BLOCK = re.compile(r"(<!-- made by tools/symmetries.py -->\n).*?(<!-- end -->)", re.DOTALL)
F64 = torch.float64
TOKENS, DIMENSION, HEADS, HEAD, UNITS, CLASSES = 2, 4, 2, 2, 4, 3
# Of BatchNorm; so small that variances times the square of a factor are above it.
EPSILON = 1e-9
# With which no unit is always off.
SEED = 4
SAMPLES, STEPS, LEARNING_RATE = 60, 150, 0.02
# A trace is exact where its products see all directions, and a search from the network itself
# draws nothing.
SETTINGS = {
    "forward": {"published": False},
    "perturbation": {
        "published": False,
        "dtype": "float64",
        "samples": 600,
        "adaptive": {"samples": 600, "starts": 1, "quotient": True},
    },
    "hessian": {
        "dtype": "float64",
        "eigenvalues": 1,
        "smallest_eigenvalues": 1,
        "tolerance": 1e-9,
        "trace_products": 570,
        "density_probes": 0,
    },
    "landscape": {
        "dtype": "float64",
        "points": 5,
        "line_points": 0,
        "direction_seeds": range(40),
    },
    "input": {"dtype": "float64", "draws": 3, "attack_samples": None},
    "norms": {"dtype": "float64", "pac_bayes": False},
}
# Numbers about an estimate, a signed twin, and losses and shares that are the outputs' alone.
NOT_ASKED = re.compile(r"asc_sharpness_.*|sam_sharpness_signed|train_(loss|accuracy|label_entropy)")
YES, AVERAGE, NO, NOT_DEFINED = "yes", "on average", "no", "–"
# Relative differences up to the first are rounding, those from the second on are none.
ROUNDING, DIFFERENCE = 1e-6, 1e-3
# Of new draws, and of what cannot be that, in standard errors of the difference.
DRAWS, BEYOND_DRAWS = 4, 6


class Network(nn.Module):
    """A network that has every symmetry: [n, 8] to three logits.

    Args:
        attention: whether attention comes first and units of tanh last; otherwise there are
            rectifiers alone, so that paths have a norm.
    """

    def __init__(self, attention: bool):
        super().__init__()
        if attention:
            self.norm = nn.LayerNorm(DIMENSION)
            self.attention = SelfAttention(DIMENSION, HEADS, HEAD, 0.0)
        self.first = nn.Linear(TOKENS * DIMENSION, UNITS)
        self.batchnorm = nn.BatchNorm1d(UNITS, EPSILON)
        self.second, self.third = nn.Linear(UNITS, UNITS), nn.Linear(UNITS, UNITS)
        self.head = nn.Linear(UNITS, CLASSES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        if attention := hasattr(self, "attention"):
            tokens = inputs.unflatten(1, (TOKENS, DIMENSION))
            inputs = (tokens + self.attention(self.norm(tokens))).flatten(1)
        units = self.batchnorm(self.first(inputs)).relu()
        units = self.third(self.second(units).relu())
        return self.head(units.tanh() if attention else units.relu())


def factors(count: int) -> torch.Tensor:
    """Return factors from 1/256 to 256, which bring what is not the same far from it."""
    return torch.logspace(-8, 8, count, base=2, dtype=F64)


def invertible(size: int, seed: int) -> torch.Tensor:
    """Return a matrix with singular values from 1/256 to 256."""
    draws = torch.Generator().manual_seed(seed)
    left, right = (
        torch.linalg.qr(torch.randn(size, size, dtype=F64, generator=draws))[0] for _ in range(2)
    )
    return left @ factors(size).diag() @ right


def before_batchnorm(network: Network) -> None:
    """Multiply what goes into each unit of a BatchNorm, whose statistics of the data go along."""
    c, norm = factors(UNITS), network.batchnorm
    network.first.weight *= c[:, None]
    network.first.bias *= c
    norm.running_mean *= c
    norm.running_var.add_(norm.eps).mul_(c.square()).sub_(norm.eps)


def rectifiers(network: Network) -> None:
    """Multiply what goes into each rectifier, and divide what comes out."""
    c = factors(UNITS)
    network.second.weight *= c[:, None]
    network.second.bias *= c
    network.third.weight /= c


def permutation(network: Network) -> None:
    """Give hidden units another order."""
    order = torch.tensor([3, 0, 1, 2])
    for tensor in (network.second.weight, network.second.bias):
        tensor.copy_(tensor[order].clone())
    network.third.weight.copy_(network.third.weight[:, order].clone())


def signs(network: Network) -> None:
    """Change the sign of what goes into every second unit of tanh, and of what comes out."""
    c = torch.tensor([1, -1] * (UNITS // 2), dtype=F64)
    network.third.weight *= c[:, None]
    network.third.bias *= c
    network.head.weight *= c


def layernorm(network: Network) -> None:
    """Multiply what a LayerNorm puts out by factors, and divide the weights behind it."""
    c = factors(DIMENSION)
    network.norm.weight *= c
    network.norm.bias *= c
    network.attention.query_key_value.weight /= c


def of_heads(of_head: Callable[[int], torch.Tensor], network: Network, output: bool) -> None:
    """Put matrices A of heads between queries and keys, or between values and output."""
    layer = network.attention.query_key_value
    weights, biases = layer.weight.chunk(3), layer.bias.chunk(3)
    for head in range(HEADS):
        rows, matrix = slice(head * HEAD, (head + 1) * HEAD), of_head(head)
        left, inverse = 2 if output else 0, matrix.inverse()
        weights[left][rows] = matrix.T @ weights[left][rows]
        biases[left][rows] = matrix.T @ biases[left][rows]
        if output:
            projection = network.attention.projection.weight
            projection[:, rows] = projection[:, rows] @ inverse.T
        else:
            weights[1][rows] = inverse @ weights[1][rows]
            biases[1][rows] = inverse @ biases[1][rows]


def by_factors(head: int) -> torch.Tensor:
    """Return a diagonal matrix."""
    return factors(HEAD + head)[head:].diag()


Change = Callable[[Network], None]
OF_RECTIFIERS: dict[str, Change] = {
    "before BatchNorm": before_batchnorm,
    "rectifiers": rectifiers,
    "permutation": permutation,
}
SYMMETRIES: dict[str, Change] = OF_RECTIFIERS | {
    "signs of tanh": signs,
    "LayerNorm": layernorm,
    "query–key, factors": partial(of_heads, by_factors, output=False),
    "query–key, matrix": partial(of_heads, partial(invertible, HEAD), output=False),
    "value–output, factors": partial(of_heads, by_factors, output=True),
    "value–output, matrix": partial(of_heads, partial(invertible, HEAD), output=True),
}


def data() -> Split:
    """Return normal inputs, and labels by a random linear function of them."""
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(SAMPLES, TOKENS * DIMENSION, dtype=F64, generator=draws)
    teacher = torch.randn(TOKENS * DIMENSION, CLASSES, dtype=F64, generator=draws)
    return Split(inputs, (inputs @ teacher).argmax(1))


def trained(attention: bool, split: Split) -> tuple[Network, Network]:
    """Return an initial network, and what a short training makes of it."""
    with torch.random.fork_rng([]):
        torch.manual_seed(SEED)
        network = Network(attention).double()
    initial = copy.deepcopy(network).eval()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(split.inputs), split.labels).backward()
        optimizer.step()
    return initial, network.eval()


def along(network: Network, change: Change, split: Split) -> Network:
    """Return a network along a symmetry.

    Raises:
        AssertionError: its outputs are others.
    """
    other = copy.deepcopy(network)
    with torch.no_grad():
        change(other)
        torch.testing.assert_close(other(split.inputs), network(split.inputs), rtol=1e-9, atol=1e-9)
    return other


def measured(network: Network, initial: Network, split: Split) -> dict[str, Measurement]:
    """Return all measures of a network that are asked for."""
    subject, found = Subject(network, Objective(split)), {}
    for family, settings in SETTINGS.items():
        component = SHARPNESS[family]
        others = {"initial": initial} if "initial" in component.takes else {}
        of_family = component.load()(subject, generator(0, family), **others, **settings)
        found |= {m.measure: m for m in of_family.measurements}
    return {name: m for name, m in found.items() if not NOT_ASKED.fullmatch(name)}


def verdict(before: Measurement, after: Measurement) -> str:
    """Return whether a measure stays the same.

    Raises:
        ValueError: it cannot be said.
    """
    difference = abs(after.value - before.value)
    relative = difference / max(abs(before.value), abs(after.value))
    if relative <= ROUNDING:
        return YES
    error = math.hypot(before.standard_error or 0, after.standard_error or 0)
    if difference <= DRAWS * error:
        return AVERAGE
    if relative < DIFFERENCE or difference < BEYOND_DRAWS * error:
        raise ValueError(
            f"{before.measure}: {before.value:g} and {after.value:g} ± {error:g} are neither alike"
            " nor different"
        )
    return NO


def verdicts() -> dict[str, dict[str, str]]:
    """Return a verdict for each measure and symmetry, where the measure is defined."""
    split, found = data(), {}
    for attention, changes in ((True, SYMMETRIES), (False, OF_RECTIFIERS)):
        initial, network = trained(attention, split)
        before = measured(network, initial, split)
        for name, change in changes.items():
            after = measured(along(network, change, split), initial, split)
            for measure in before:
                # What the first network has counts.
                own = found.setdefault(measure, {})
                own.setdefault(name, verdict(before[measure], after[measure]))
    return found


def table() -> str:
    """Return the table; measures that survive the same are in one row."""
    alike: dict[tuple[str, ...], list[str]] = {}
    found = verdicts()
    for measure in (name for family in SHARPNESS.values() for name in family.gives):
        if measure in found:
            cells = tuple(found[measure].get(name, NOT_DEFINED) for name in SYMMETRIES)
            alike.setdefault(cells, []).append(f"`{measure}`")
    lines = [("measures", *SYMMETRIES), ("---",) * (1 + len(SYMMETRIES))]
    lines += [(", ".join(measures), *cells) for cells, measures in alike.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def filled(text: str) -> str:
    """Return a page with the table made again."""
    return BLOCK.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
