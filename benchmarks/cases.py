"""What is timed: each case computes the same thing in our way and in the usual one."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch.nn.utils import vector_to_parameters
from torch.utils.data import DataLoader, Dataset, TensorDataset

from minimascope.attacks.attack import Attacker
from minimascope.attacks.inputs import box_of
from minimascope.attacks.spec import AttackSpec
from minimascope.data.augment import Augmentation, augment
from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput, in_units
from minimascope.registry import TOY_FUNCTIONS
from minimascope.seeding import generator
from minimascope.sharpness.directions import random_direction
from minimascope.sharpness.forward import fisher_rao_norm, relative_flatness
from minimascope.sharpness.hessian import loss_hessian
from minimascope.sharpness.input_gradients import input_gradients
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import sam_sharpness
from minimascope.sharpness.surface import loss_surface, symmetric_grid
from minimascope.sharpness.trace import hutchpp_trace
from minimascope.toy.fits import FitSpec, fit, pieces
from minimascope.toy.networks import initial_parameters, perceptron
from minimascope.toy.problems import all_samples, problems

SCRIPTS = Path(__file__).parents[1] / "scripts"


@dataclass(frozen=True)
class Case:
    """Two ways to one result.

    Attributes:
        name: what is computed, and on what shape.
        ours: computes it our way.
        usual: computes it the other way, or None where there is nothing to compare with.
        usual_name: what the other way is.
        work: floating-point operations of ours, where they are a sensible floor.
        equal: whether both return the same number.
    """

    name: str
    ours: Callable[[], object]
    usual: Callable[[], object] | None
    usual_name: str
    work: float | None = None
    equal: bool = field(default=True)


def flatness_inputs(classes: int, size: int, n: int) -> tuple[torch.Tensor, ...]:
    """Return features [n, d], weight [C, d], bias [C] and labels [n] in float64."""
    draws = generator("benchmark", classes, size, n)
    normal = partial(torch.randn, dtype=torch.float64, generator=draws)
    weight = normal(classes, size) / size**0.5
    labels = torch.randint(0, classes, (n,), generator=draws)
    return normal(n, size), weight, normal(classes), labels


def flatness_by_autodiff(features, weight, bias, labels) -> float:
    """Relative flatness by one backward pass for each weight of the last layer.

    The rows of the Hessian of the mean loss, of which Σ_{s,s'} ⟨w_s, w_s'⟩ Tr(H_{s,s'}) takes
    the entries (s, k), (s', k).
    """
    weight = weight.clone().requires_grad_()
    loss = F.cross_entropy(F.linear(features, weight, bias), labels)
    (gradient,) = torch.autograd.grad(loss, weight, create_graph=True)
    products = (weight @ weight.T).detach()
    total = 0.0
    classes, size = weight.shape
    for s in range(classes):
        for k in range(size):
            (row,) = torch.autograd.grad(gradient[s, k], weight, retain_graph=True)
            total += float(products[s] @ row[:, k])
    return total


def relative_flatness_case(classes: int = 10, size: int = 512, n: int = 256) -> Case:
    """Closed form against autodiff."""
    *inputs, labels = flatness_inputs(classes, size, n)
    return Case(
        f"relative flatness, C = {classes}, d = {size}, n = {n}",
        partial(relative_flatness, *inputs, normalise=False),
        partial(flatness_by_autodiff, *inputs, labels),
        f"autodiff, {classes * size} backward passes",
    )


def large_relative_flatness_case(classes: int = 200, size: int = 512, n: int = 10_000) -> Case:
    """The closed form where the usual way needs a tensor that fits no machine."""
    *inputs, _ = flatness_inputs(classes, size, n)
    gigabytes = size * classes * classes * size * 4 / 1e9
    return Case(
        f"relative flatness, C = {classes}, d = {size}, n = {n}",
        partial(relative_flatness, *inputs),
        partial(torch.matmul, inputs[0], inputs[1].T.contiguous()),
        f"the logits alone (the usual way holds {gigabytes:.0f} GB)",
        work=2 * n * classes * size + 2 * n * classes**2 + 2 * classes**2 * size,
        equal=False,
    )


def fisher_rao_loop(logits: torch.Tensor, labels: torch.Tensor, n_layers: int) -> float:
    """Fisher–Rao norm, sample by sample."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        total += float(((row.softmax(0) * row).sum() - row[label]) ** 2)
    return (n_layers + 1) * (total / len(logits)) ** 0.5


def fisher_rao_case(classes: int = 10, n: int = 10_000) -> Case:
    """All samples at once against one after the other."""
    features, weight, bias, labels = flatness_inputs(classes, 8, n)
    logits = F.linear(features, weight, bias)
    return Case(
        f"Fisher–Rao norm, C = {classes}, n = {n}",
        partial(fisher_rao_norm, logits, labels, 21),
        partial(fisher_rao_loop, logits, labels, 21),
        "a loop over samples",
    )


class PicturesOneByOne(Dataset):
    """A torchvision data set as most training scripts have it."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor):
        from torchvision import transforms

        self.pictures = images.permute(0, 2, 3, 1).numpy()
        self.labels = labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(images.shape[-1], padding=4, fill=128),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.transform(Image.fromarray(self.pictures[row])), self.labels[row]


def pictures(n: int) -> Split:
    """Return n random images of CIFAR's shape with random labels of ten classes."""
    draws = generator("benchmark", "pictures")
    images = torch.randint(0, 256, (n, 3, 32, 32), generator=draws, dtype=torch.uint8)
    return Split(images, torch.randint(0, 10, (n,), generator=draws))


def plain_loader(
    split: Split, batch_size: int, workers: int = 0, pinned: bool = False
) -> DataLoader:
    """Return the DataLoader that most training scripts have."""
    return DataLoader(
        PicturesOneByOne(split.inputs, split.labels),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=pinned,
        persistent_workers=workers > 0,
    )


def descend(optimizer: torch.optim.Optimizer, logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Take a training step as most scripts do."""
    optimizer.zero_grad()
    F.cross_entropy(logits, labels).backward()
    optimizer.step()


def plain_epoch(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader
) -> None:
    """Train for an epoch as most scripts do."""
    device = next(network.parameters()).device
    for images, labels in loader:
        logits = network(images.to(device, non_blocking=True))
        descend(optimizer, logits, labels.to(device, non_blocking=True))


def training_case(train: bool, n: int = 2048, width: float = 0.125) -> Case:
    """An epoch of our batched input pipeline against a DataLoader's, with and without training."""
    split = pictures(n)
    draws = generator("benchmark", "order")
    spec = NetworkSpec("resnet18", 3, (32, 32), 10, width=width)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    loader = plain_loader(split, batch_size=256)

    def ours() -> None:
        for rows in torch.randperm(n, generator=draws).split(256):
            batch = augment(split.inputs[rows], Augmentation(4, 128, 0.5), draws)
            if train:
                descend(optimizer, model(batch), split.labels[rows])
            else:
                model.normalise(batch)

    def usual() -> None:
        if train:
            plain_epoch(model.network, optimizer, loader)
        else:
            for _ in loader:
                pass

    what = f"training epoch, ResNet-18 × {width}" if train else "input pipeline of an epoch"
    return Case(
        f"{what}, {n} × 3 × 32 × 32",
        ours,
        usual,
        "DataLoader with per-sample torchvision transforms",
        equal=False,
    )


@dataclass(frozen=True)
class Problem:
    """A network with random data, as most cases need it."""

    model: NormalisedInput
    split: Split


def problem(n: int = 1437, size: int = 8, width: float = 0.125) -> Problem:
    """Return a narrow ResNet-18 in evaluation mode with n grey images, as many as digits has."""
    draws = generator("benchmark", "problem")
    images = torch.randint(0, 256, (n, 1, size, size), generator=draws, dtype=torch.uint8)
    model = NormalisedInput(
        initialise(NetworkSpec("resnet18", 1, (size, size), 10, width=width), 0), [0.5], [0.5]
    )
    return Problem(model.eval(), Split(images, torch.arange(n) % 10))


def plain_passes(given: Problem, count: int) -> None:
    """Compute the loss over the data as often as said."""
    for _ in range(count):
        Objective(given.split).mean(given.model)


def sam_by_copies(given: Problem, samples: int) -> float:
    """SAM-sharpness with a copy of the network and a DataLoader's pass for each perturbation."""
    loader = DataLoader(TensorDataset(given.split.inputs, given.split.labels), batch_size=256)
    count = sum(p.numel() for p in given.model.parameters())

    def loss(model: torch.nn.Module) -> float:
        with torch.no_grad():
            parts = [F.cross_entropy(model(x), y, reduction="sum").item() for x, y in loader]
        return sum(parts) / len(given.split)

    centre, total = loss(given.model), 0.0
    for _ in range(samples):
        moved = copy.deepcopy(given.model)
        with torch.no_grad():
            for p in moved.parameters():
                p.add_(torch.randn_like(p) * (0.005 / count**0.5))
        total += abs(loss(moved) - centre) / 0.005
    return total / samples


def perturbation_case(by_copies: bool, samples: int = 100) -> Case:
    """SAM-sharpness against the passes it cannot do without, or against the usual loop."""
    given = problem()
    usual = (sam_by_copies, given, samples) if by_copies else (plain_passes, given, samples + 1)
    return Case(
        f"SAM-sharpness, K = {samples}, n = {len(given.split)}",
        lambda: sam_sharpness(
            given.model, Objective(given.split), samples=samples, generator=generator(0)
        ),
        partial(*usual),
        "a copied network and a DataLoader for each perturbation"
        if by_copies
        else f"{samples + 1} plain forward passes",
        equal=False,
    )


def landscape_case(points: int = 11) -> Case:
    """A two-dimensional landscape against its forward passes."""
    given = problem()
    axis = symmetric_grid(0.25, points)
    draws = generator("benchmark", "directions")
    pair = [random_direction(given.model, draws) for _ in range(2)]
    return Case(
        f"landscape, {points} × {points}, n = {len(given.split)}",
        partial(loss_surface, given.model, Objective(given.split), pair, [axis, axis]),
        partial(plain_passes, given, points**2),
        f"{points**2} plain forward passes",
        equal=False,
    )


def jacobian_case(n: int = 128) -> Case:
    """The Jacobians of all samples, with margins and distances, against plain backward passes."""
    given = problem(n, size=32)
    inputs, classes = given.split.inputs / 255, 10

    def usual() -> None:
        moved = inputs.clone().requires_grad_()
        logits = given.model(moved)
        for each in range(classes):
            torch.autograd.grad(logits[:, each].sum(), moved, retain_graph=True)

    return Case(
        f"Jacobians, C = {classes}, n = {n}",
        lambda: input_gradients(
            *(given.model, Objective(given.split), None), generator=generator(0), batch_size=n
        ),
        usual,
        f"a forward and {classes} plain backward passes",
        equal=False,
    )


def trace_case(products: int = 21, n: int = 200) -> Case:
    """The trace of the Hessian against curvlinops used plainly, with as many products."""
    import curvlinops

    given = problem(n)
    batches = [(given.split.inputs, given.split.labels)]

    def usual() -> float:
        parameters = list(given.model.parameters())
        operator = curvlinops.HessianLinearOperator(
            given.model, torch.nn.CrossEntropyLoss(), parameters, batches
        )
        return float(curvlinops.hutchpp_trace(operator, products))

    return Case(
        f"Hessian trace, {products} products, n = {n}",
        lambda: hutchpp_trace(
            loss_hessian(given.model, Objective(given.split)), products, generator(0)
        ),
        usual,
        "curvlinops' HessianLinearOperator and hutchpp_trace",
        equal=False,
    )


def plain_gradients(given: Problem, count: int) -> None:
    """Compute the gradient of the loss with respect to the inputs as often as said."""
    points = (given.split.inputs / 255).requires_grad_()
    for _ in range(count):
        loss = F.cross_entropy(given.model(points), given.split.labels)
        torch.autograd.grad(loss, points)


def attack_case(attack: str, norm: str, n: int = 256, size: int = 32, steps: int = 20) -> Case:
    """An attack in which every sample takes every step, against its gradients."""
    given, spec = problem(n, size), AttackSpec(attack, steps, losses=("ce",))
    points = in_units(given.split.inputs)
    attacker = Attacker(given.model, norm, spec, box_of(given.split.inputs))
    radii = points.new_full((n,), 8 / 255 if norm == "linf" else 0.5)
    # Auto-PGD looks at the start, too.
    count = steps + (attack == "apgd")
    return Case(
        f"{attack.upper()} in {norm}, {steps} steps, n = {n}, 1 × {size} × {size}",
        partial(attacker.worst_inputs, points, given.split.labels, radii),
        partial(plain_gradients, given, count),
        f"{count} gradients with respect to the inputs",
        equal=False,
    )


def toy_fits_case(points: int = 500, epochs: int = 60) -> Case:
    """The networks of all toy functions, trained as one and one after another."""
    wanted, device = problems(TOY_FUNCTIONS, [0]), torch.device("cpu")
    spec = FitSpec(points, 64, 1e-3, (epochs,), ())

    def ours() -> None:
        for piece in pieces(wanted, None, points, device):
            fit(piece, spec, device)

    def usual() -> None:
        for problem in wanted:
            (inputs,), (values,) = all_samples([problem], "train", points)
            network = perceptron(spec.width)
            vector_to_parameters(initial_parameters(spec.width, problem.seed), network.parameters())
            optimizer = torch.optim.Adam(network.parameters(), lr=spec.lr)
            for _ in range(epochs):
                optimizer.zero_grad()
                F.mse_loss(network(inputs)[:, 0], values).backward()
                optimizer.step()

    name = f"{len(wanted)} toy networks, {points} points, {epochs} epochs"
    return Case(name, ours, usual, "one torch module after another", equal=False)


def peak_megabytes(case: str, way: str) -> float:
    """Return how far a case raises the memory of a process of its own, in MB (on Linux).

    Args:
        case: an expression such as ``trace_case()``.
        way: ``ours`` or ``usual``.
    """
    # Writing 5 to clear_refs sets the highest resident size (VmHWM) to the present one.
    program = (
        "import re, cases, torch\n"
        "status = lambda: open('/proc/self/status').read()\n"
        "peak = lambda: int(re.search('VmHWM:[^0-9]+([0-9]+)', status())[1])\n"
        f"torch.set_num_threads(1); case = cases.{case}\n"
        "cases.plain_passes(cases.problem(16), 1)\n"
        "open('/proc/self/clear_refs', 'w').write('5'); before = peak()\n"
        f"case.{way}(); print((peak() - before) / 1e3)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    folder = Path(__file__).parent
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return float(result.stdout.splitlines()[-1])
