"""Time what is meant to be fast against the usual way, in one process, and print tables.

Ratios are what counts; seconds depend on the machine and on what else it does.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path

import cases
import curvature
import flat_minima
import torch

MEMORY_CASES = {
    "perturbation_case(by_copies=True)": "SAM-sharpness against a copied network",
    "landscape_case()": "landscape against its forward passes",
    "trace_case()": "Hessian trace, 21 products, against curvlinops",
    "trace_case(products=60)": "Hessian trace, 60 products, against curvlinops",
}


def paired_seconds(case: cases.Case, repeats: int) -> tuple[float, float, float]:
    """Return the median times of both ways and the median of their ratios.

    The two take turns after a warm-up, so that whatever else the machine does meets both.
    """
    pairs = []
    for _ in range(repeats + 1):
        times = []
        for way in (case.ours, case.usual):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
        pairs.append(times)
    ours, usual = zip(*pairs[1:], strict=True)
    ratios = [that / own for own, that in pairs[1:]]
    return statistics.median(ours), statistics.median(usual), statistics.median(ratios)


def speed_rows(chosen: list[cases.Case], repeats: int) -> Iterator[str]:
    """Yield the table of ratios."""
    yield "| what | ours (s) | against | that (s) | ratio |"
    yield "|---|---:|---|---:|---:|"
    for case in chosen:
        ours, usual, ratio = paired_seconds(case, repeats)
        name = case.name
        if case.work:
            name += f" ({case.work / ours / 1e9:.1f} GFLOP/s in float64)"
        yield f"| {name} | {ours:.3g} | {case.usual_name} | {usual:.3g} | {ratio:,.2f} |"


def memory_rows() -> Iterator[str]:
    """Yield the table of memory that the work itself takes, beyond network, data and torch."""
    yield "| what | ours (MB) | the usual way (MB) |"
    yield "|---|---:|---:|"
    for case, name in MEMORY_CASES.items():
        ours, usual = (cases.peak_megabytes(case, way) for way in ("ours", "usual"))
        yield f"| {name} | {ours:.0f} | {usual:.0f} |"


def main() -> None:
    """Parse the command line, time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    parser.add_argument("--repeats", type=int, default=3, help="timed pairs of each (default 3)")
    parser.add_argument("--output", type=Path, help="write the tables to this file as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    facts = f"{date.today()}, torch {torch.__version__}, Python {platform.python_version()}"
    lines = [f"{facts}, {arguments.threads} CPU thread(s), {platform.machine()}", ""]
    chosen = [
        cases.relative_flatness_case(),
        cases.large_relative_flatness_case(),
        cases.fisher_rao_case(),
        cases.training_case(train=False),
        cases.training_case(train=True),
        cases.perturbation_case(by_copies=False),
        cases.perturbation_case(by_copies=True),
        cases.landscape_case(),
        cases.jacobian_case(),
        cases.trace_case(),
        *(cases.attack_case(*each) for each in product(("pgd", "apgd"), ("linf", "l2"))),
        cases.toy_fits_case(),
    ]
    lines += [*speed_rows(chosen, arguments.repeats), "", *memory_rows(), ""]
    lines += [*flat_minima.rows(arguments.repeats), ""]
    lines += curvature.rows(arguments.repeats)
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
