"""What each way to flat minima costs: its training beside that of plain SGD, in one run."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from minimascope.data.digits import load
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.optim.sam import SAM
from minimascope.training import TrainingSpec, train

PLAIN = TrainingSpec(3, 50, {"name": "sgd", "lr": 0.02, "momentum": 0.9})
SWAD = {"validation": 0.2, "start_patience": 3, "end_patience": 6, "tolerance": 1.3}
WAYS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SAM": {"sam": SAM(0.05)},
    "ASAM": {"sam": SAM(0.5, adaptive=0.01)},
    "GSAM": {"sam": SAM(0.05, gap_weight=0.1)},
    "m-SAM, 2 groups of 25": {"sam": SAM(0.05, group_size=25)},
    "m-SAM, 5 groups of 10": {"sam": SAM(0.05, group_size=10)},
    "SWA": {"averaging": {"name": "swa", "start": 0.75}},
    "EMA": {"averaging": {"name": "ema", "decay": 0.98}},
    "SWAD, 20 % held out": {"averaging": {"name": "swad", **SWAD}},
}


def rows(repeats: int, samples: int = 1000) -> Iterator[str]:
    """Yield the table of processor seconds and their ratios; the ways take turns."""
    digits = load(Path(), train_size=samples, split_seed=0, image_size=8)
    spec = NetworkSpec("resnet18", 1, (8, 8), 10, width=0.125)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repeats + 1):
        for name, settings in WAYS.items():
            model = NormalisedInput(initialise(spec, 0), [0.5], [0.5])
            start = time.process_time()
            train(model, digits, replace(PLAIN, **settings), seed=0)
            seconds[name].append(time.process_time() - start)
    yield f"| ResNet-18 × 1/8, {PLAIN.epochs} epochs of {samples} digits | s | × SGD |"
    yield "|---|---:|---:|"
    for name, own in seconds.items():
        # Without the first, which warms up.
        pairs = list(zip(own, seconds["SGD"], strict=True))[1:]
        ratio = statistics.median(this / plain for this, plain in pairs)
        yield f"| {name} | {statistics.median(own[1:]):.2f} | {ratio:.2f} |"
