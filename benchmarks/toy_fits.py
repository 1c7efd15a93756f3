"""Time training of toy networks in pieces of several sizes, on the device at hand.

The sizes take turns, so that whatever else the machine does meets all of them; ratios are medians
over the turns and are what counts.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Sequence
from datetime import date

import torch
from torch import nn
from torch.nn.utils import vector_to_parameters

from minimascope.devices import default_device, device_name
from minimascope.registry import TOY_FUNCTIONS
from minimascope.toy.fits import FitSpec, fit, pieces
from minimascope.toy.networks import initial_parameters, perceptron
from minimascope.toy.problems import Problem, all_samples, problems

WIDTH, RATE = 64, 1e-3
PLAIN = "one torch module after another"


def train_in_pieces(wanted: Sequence[Problem], size: int, points: int, epochs: int) -> None:
    """Train all networks by the library."""
    spec = FitSpec(points, WIDTH, RATE, (epochs,), (300.0, 150.0, 100.0, 10.0, 1.0))
    device = default_device()
    for piece in pieces(wanted, size, points, device):
        fit(piece, spec, device)


def train_plainly(wanted: Sequence[Problem], points: int, epochs: int) -> None:
    """Train the same networks as most scripts do, without keeping any on the way."""
    device = default_device()
    for problem in wanted:
        (inputs,), (values,) = all_samples([problem], "train", points, device=device)
        network = perceptron(WIDTH)
        vector_to_parameters(initial_parameters(WIDTH, problem.seed), network.parameters())
        network.to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        for _ in range(epochs):
            loss = nn.functional.mse_loss(network(inputs)[:, 0], values)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def milliseconds(
    wanted: Sequence[Problem], sizes: Sequence[int], points: int, epochs: int, repeats: int
) -> dict[str, list[float]]:
    """Return the times of an epoch of one network, for each way and turn after a warm-up."""
    ways = {f"{size} at once": (train_in_pieces, (size, points, epochs)) for size in sizes}
    ways[PLAIN] = (train_plainly, (points, epochs))
    times: dict[str, list[float]] = {name: [] for name in ways}
    # One thread's own time on a CPU, which may be busy with other work.
    on_gpu = default_device().type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    for _ in range(repeats + 1):
        for name, (train, arguments) in ways.items():
            start = clock()
            train(wanted, *arguments)
            if on_gpu:
                torch.cuda.synchronize()
            spent = clock() - start
            times[name].append(1000 * spent / len(wanted) / epochs)
    return {name: turns[1:] for name, turns in times.items()}


def main() -> None:
    """Parse the command line, time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[500, 10_000])
    parser.add_argument("--seeds", type=int, default=3, help="networks of a function (default 3)")
    parser.add_argument("--epochs", type=int, default=30, help="of each timed training")
    parser.add_argument("--repeats", type=int, default=5, help="timed turns (default 5)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    wanted = problems(TOY_FUNCTIONS, range(arguments.seeds))
    facts = f"{date.today()}, torch {torch.__version__}, Python {platform.python_version()}"
    print(f"{facts}, {device_name(default_device())}, {arguments.threads} CPU thread(s)\n")
    print("| points | networks | ms per epoch and network | over one at once |")
    print("|---:|---|---:|---:|")
    sizes = [1, arguments.seeds, len(wanted)]
    for points in arguments.points:
        times = milliseconds(wanted, sizes, points, arguments.epochs, arguments.repeats)
        first = next(iter(times.values()))
        for name, turns in times.items():
            ratio = statistics.median(a / b for a, b in zip(turns, first, strict=True))
            print(f"| {points} | {name} | {statistics.median(turns):.3g} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
