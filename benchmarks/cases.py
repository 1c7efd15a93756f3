"""What is timed: each case computes the same thing in our way and in the usual one."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from minimascope.data.augment import Augmentation, augment
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.seeding import generator
from minimascope.sharpness.forward import fisher_rao_norm, relative_flatness
from minimascope.sharpness.perturbation import mean_loss, sam_sharpness

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


def training_case(train: bool, n: int = 2048, width: float = 0.125) -> Case:
    """An epoch of our batched input pipeline against a DataLoader's, with and without training."""
    draws = generator("benchmark", "pictures")
    images = torch.randint(0, 256, (n, 3, 32, 32), generator=draws, dtype=torch.uint8)
    labels = torch.randint(0, 10, (n,), generator=draws)
    spec = NetworkSpec("resnet18", 3, 32, 10, width=width)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    loader = DataLoader(PicturesOneByOne(images, labels), batch_size=256, shuffle=True)

    def step(logits: torch.Tensor, targets: torch.Tensor) -> None:
        optimizer.zero_grad()
        F.cross_entropy(logits, targets).backward()
        optimizer.step()

    def ours() -> None:
        for rows in torch.randperm(n, generator=draws).split(256):
            batch = augment(images[rows], Augmentation(4, 128, 0.5), draws)
            step(model(batch), labels[rows]) if train else model.normalise(batch)

    def usual() -> None:
        for batch, targets in loader:
            if train:
                step(model.network(batch), targets)

    what = f"training epoch, ResNet-18 × {width}" if train else "input pipeline of an epoch"
    return Case(
        f"{what}, {n} × 3 × 32 × 32",
        ours,
        usual,
        "DataLoader with per-sample torchvision transforms",
        equal=False,
    )


def perturbation_case(samples: int = 100, n: int = 500) -> Case:
    """SAM-sharpness against the forward passes that it cannot do without."""
    images = torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8)
    labels = torch.arange(n) % 10
    spec = NetworkSpec("resnet18", 1, 8, 10, width=0.125)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).eval()

    def ours() -> None:
        sam_sharpness(model, images, labels, samples=samples, generator=generator(0))

    def usual() -> None:
        for _ in range(samples + 1):
            mean_loss(model, images, labels)

    return Case(
        f"SAM-sharpness, K = {samples}, n = {n}",
        ours,
        usual,
        f"{samples + 1} plain forward passes",
        equal=False,
    )


def import_seconds(code: str) -> float:
    """Return the wall-clock seconds of a Python process that only imports."""
    program = (
        f"import time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", program]
    runs = [
        subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    return float(np.median([float(run.splitlines()[-1]) for run in runs]))


def imports_of(script: Path) -> str:
    """Return the import lines of a script of the workflow."""
    return script.read_text(encoding="utf-8").partition("\n\n\ndef ")[0]
