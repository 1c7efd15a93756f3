"""Time training and SAM-sharpness on a GPU, against a plain DataLoader loop in the same run.

Prints Markdown tables. Without a GPU use --quick, which shows only that everything runs.
"""

import argparse
import gc
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path

import cases
import torch

from minimascope.data.augment import Augmentation
from minimascope.data.prepared import Dataset, Split
from minimascope.devices import default_device, device_name, precision
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.optim.sam import SAM
from minimascope.seeding import generator
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import sam_sharpness
from minimascope.training import TrainingSpec, train

SGD = {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
RUN = 100  # epochs of the run that a warm-up has to pay for
TEST_IMAGES = 16


@dataclass(frozen=True)
class Size:
    """How much is computed: images, batch size, width of the networks, K, timed epochs."""

    images: int = 50_000
    batch: int = 256
    width: float = 1.0
    samples: int = 100
    epochs: int = 3


QUICK = Size(images=40, batch=16, width=1 / 16, samples=2, epochs=1)


@dataclass(frozen=True)
class Setting:
    """One way to train."""

    network: str
    precision: str
    compile: bool
    sam: bool


@dataclass(frozen=True)
class Timing:
    """Median seconds of an epoch, what the first took beyond it, and peak memory (GB)."""

    epoch: float
    warm_up: float
    gigabytes: float | None

    def cells(self, size: Size, plain: "Timing") -> str:
        """Return the columns that every row of the training table has."""
        memory = "–" if self.gigabytes is None else f"{self.gigabytes:.1f}"
        return (
            f"{size.images / self.epoch:,.0f} | {plain.epoch / self.epoch:.2f} | {self.epoch:.2f}"
            f" | {self.warm_up:.1f} | {self.warm_up + RUN * self.epoch:.0f} | {memory}"
        )


def synchronise(device: torch.device) -> None:
    """Wait until everything that was started is done: a clock read before means nothing."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_memory(device: torch.device) -> None:
    """Give cached memory back and measure the peak from here on."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def timing(seconds: list[float], device: torch.device) -> Timing:
    """Summarise the epochs of a training; the first is the warm-up."""
    first, *others = seconds
    epoch = statistics.median(others)
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_reserved(device) / 1e9 if on_gpu else None
    return Timing(epoch, max(0.0, first - epoch), peak)


def network(name: str, size: Size, device: torch.device) -> NormalisedInput:
    """Return an untrained network for images of CIFAR's shape."""
    options = {"patch_size": 4} if name == "vit" else {}
    spec = NetworkSpec(name, 3, (32, 32), 10, width=size.width, options=options)
    return NormalisedInput(initialise(spec, 0), [0.5], [0.5]).to(device)


def time_training(setting: Setting, split: Split, size: Size, device: torch.device) -> Timing:
    """Time the workflow's own training; its history has the seconds of each epoch."""
    # Compilations of another setting would count towards the limit per function.
    torch.compiler.reset()
    forget_memory(device)
    epochs = 1 + size.epochs
    spec = TrainingSpec(
        epochs=epochs,
        batch_size=size.batch,
        optimizer=SGD,
        sam=SAM(0.05) if setting.sam else None,
        augmentation=Augmentation(crop_padding=4, crop_fill=128, horizontal_flip=0.5),
        precision=setting.precision,
        test_every=epochs,
        compile=setting.compile,
    )
    test = Split(split.inputs[:TEST_IMAGES], split.labels[:TEST_IMAGES])
    dataset = Dataset(split, test, tuple(map(str, range(10))))
    history = train(network(setting.network, size, device), dataset, spec, seed=0)
    return timing([row["seconds"] for row in history], device)


def time_plain_loop(split: Split, size: Size, device: torch.device, workers: int) -> Timing:
    """Time the loop of most training scripts, with torch's default precision."""
    forget_memory(device)
    model = network("resnet18", size, device).network.train()
    settings = {key: value for key, value in SGD.items() if key != "name"}
    optimizer = torch.optim.SGD(model.parameters(), **settings)
    loader = cases.plain_loader(split, size.batch, workers, pinned=device.type == "cuda")
    seconds = []
    for _ in range(1 + size.epochs):
        synchronise(device)
        start = time.perf_counter()
        cases.plain_epoch(model, optimizer, loader)
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return timing(seconds, device)


def time_sharpness(name: str, split: Split, size: Size, device: torch.device) -> float:
    """Return the seconds of SAM-sharpness of ResNet-18 in a precision."""
    model = network("resnet18", size, device).eval()
    split = split.to(device)
    few = Objective(split.rows(torch.arange(size.batch, device=device)))
    draws = partial(generator, "benchmark", "perturbations", device=device)
    with precision(name, device):
        sam_sharpness(model, few, samples=2, generator=draws())
        synchronise(device)
        start = time.perf_counter()
        sam_sharpness(model, Objective(split), samples=size.samples, generator=draws())
        synchronise(device)
    return time.perf_counter() - start


def training_rows(
    settings: Iterable[Setting], split: Split, size: Size, workers: int
) -> Iterator[str]:
    """Yield the training table: the plain loop, then each setting."""
    device = default_device()
    yield (
        "| network | precision | SAM | compiled | images/s | × plain loop | s per epoch"
        f" | warm-up (s) | {RUN} epochs (s) | memory (GB) |"
    )
    yield "|---|---|---|---|---:|---:|---:|---:|---:|---:|"
    plain = time_plain_loop(split, size, device, workers)
    loop = f"resnet18, DataLoader loop, {workers} workers"
    yield f"| {loop} | torch's default | no | no | {plain.cells(size, plain)} |"
    for setting in settings:
        sam, compiled = ("yes" if on else "no" for on in (setting.sam, setting.compile))
        try:
            cells = time_training(setting, split, size, device).cells(size, plain)
        except Exception as error:  # That one setting does not run here is a result as well.
            problem = " ".join(str(error).split())[:80].replace("|", "/")
            cells = f"failed, {type(error).__name__}: {problem} | | | | |"
        yield f"| {setting.network} | {setting.precision} | {sam} | {compiled} | {cells} |"


def sharpness_rows(precisions: list[str], split: Split, size: Size) -> Iterator[str]:
    """Yield the table of SAM-sharpness; the workflow measures it in fp32."""
    yield f"| SAM-sharpness of resnet18, K = {size.samples}, n = {size.images} | seconds |"
    yield "|---|---:|"
    for name in precisions:
        yield f"| {name} | {time_sharpness(name, split, size, default_device()):.1f} |"


def report(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield all lines: what the numbers depend on, and both tables."""
    device = default_device()
    on_gpu = device.type == "cuda"
    size = replace(QUICK if arguments.quick else Size(), epochs=arguments.epochs)
    split = cases.pictures(size.images)
    facts = [str(date.today()), device_name(device), f"torch {torch.__version__}"]
    facts += [f"CUDA {torch.version.cuda}"] if on_gpu else []
    yield from (f"{', '.join(facts)}; batch size {size.batch}, width {size.width:g}", "")
    precisions = ["fp32", "tf32", "bf16"] if on_gpu else ["fp32", "bf16"]
    compiled = [False] if arguments.quick else [False, True]
    ways = [*product(["resnet18"], precisions, [False, True])]
    ways += [("vit", "bf16", False), ("vgg19", "bf16", False)]
    # Compilations take longest: what is interrupted has printed the other rows.
    settings = [Setting(name, bits, on, sam) for on in compiled for name, bits, sam in ways]
    yield from training_rows(settings, split, size, arguments.workers)
    yield ""
    yield from sharpness_rows(["fp32", "tf32"] if on_gpu else ["fp32"], split, size)


def main() -> None:
    """Parse the command line, time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, nothing compiled")
    parser.add_argument("--epochs", type=int, default=3, help="timed epochs of each (default 3)")
    workers = min(16, os.cpu_count() or 1)
    parser.add_argument(
        "--workers", type=int, default=workers, help=f"of the plain loop (default {workers})"
    )
    parser.add_argument("--output", type=Path, help="write the tables to this file as well")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    # A compilation that an earlier run left on the disk is no warm-up.
    torch.compiler.config.force_disable_caches = True
    lines = []
    for line in report(arguments):
        print(line, flush=True)
        lines.append(line)
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
