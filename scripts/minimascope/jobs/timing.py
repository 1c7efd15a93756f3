"""How long a network takes on this machine, from a batch or two: JSON in, JSON out.

It runs in a process of its own, so that Snakemake's needs no torch.
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import nn

from ..data.prepared import Dataset, Split
from ..devices import default_device
from ..evaluation.predict import predict
from ..initial_weights import network_spec
from ..networks import initialise
from ..training import TrainingSpec, train

# Inputs of a first training, which warms up.
FEW = 2
# Batches of the longest training, and the seconds that it may take.
BATCHES = 2
PATIENCE = 5.0
# Settings of a training that are about what it starts from, and what it learns.
NOT_OF_THE_STEPS = ("label_noise", "weights", "new_head", "keep")


def seconds_per_sample(case: Mapping[str, Any]) -> tuple[float, float]:
    """Return what an input takes: in an epoch of training without SAM, and in a prediction.

    Args:
        case: ``network`` (architecture, width and options), ``training`` (resolved settings),
            ``shape`` of an input, ``classes`` and ``train``, the number of training samples.
    """
    spec = TrainingSpec.from_config(
        {key: value for key, value in case["training"].items() if key not in NOT_OF_THE_STEPS}
        | {"sam": None, "adversarial": None, "epochs": 1, "averaging": None, "compile": False}
    )
    batch = spec.batch_size or case["train"]
    few, many = (min(wanted, case["train"]) for wanted in (FEW, BATCHES * batch))
    model = _network(case).to(default_device())
    _train(model, case, spec, few)
    found = _train(model, case, spec, few)
    for _ in range(2):
        if found[0] * many < PATIENCE:
            found = tuple(map(min, found, _train(model, case, spec, many)))
    return found


def _network(case: Mapping[str, Any]) -> nn.Module:
    spec = network_spec(case["network"], tuple(case["shape"]), case["classes"])
    return initialise(spec, 0)


def _train(
    model: nn.Module, case: Mapping[str, Any], spec: TrainingSpec, samples: int
) -> tuple[float, float]:
    labels = torch.arange(samples) % case["classes"]
    split = Split(torch.rand(samples, *case["shape"]), labels)
    dataset = Dataset(split, split, tuple(map(str, range(case["classes"]))))
    inputs = split.inputs.to(next(model.parameters()).device)
    with _Stopwatch(inputs.device) as whole:
        (row,) = train(model, dataset, spec, seed=0)
    with _Stopwatch(inputs.device) as prediction:
        predict(model, inputs)
    return row["seconds"] * whole.share / samples, prediction.seconds / samples


class _Stopwatch:
    """Seconds that something takes when nothing else runs: those of the processor on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self.on_cpu = device.type == "cpu"

    def __enter__(self) -> Self:
        self.began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        passed = time.perf_counter() - self.began[0]
        self.seconds = time.process_time() - self.began[1] if self.on_cpu else passed
        self.share = min(self.seconds / passed, 1.0)


def main() -> None:
    """Read cases from standard input; write seconds per sample of each, and those of starting."""
    start = time.process_time()
    torch.set_num_threads(1)
    cases = json.load(sys.stdin)
    print(json.dumps({"start": start, "seconds": [seconds_per_sample(case) for case in cases]}))


if __name__ == "__main__":
    main()
