"""Set in one table what tests/gpu.sh has computed, and try what a GPU does when memory runs out."""

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch

from minimascope.batches import inputs_at_once
from minimascope.data.prepared import Split
from minimascope.devices import default_device, device_name, precision
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.sharpness.objective import Objective

KEYS = ["network", "condition", "view", "family", "measure"]
# Of the same weights: the largest share by which two devices may differ. On this study's networks
# a CPU's kernels for AVX2 and AVX-512 differed by less than 1e-6; inputs and weights rounded to
# TF32's 10 bits changed Fisher–Rao norm and training loss by up to 6e-4, relative flatness by 2e-4.
SHARE = 5e-5
# These can magnify rounding: a solver stops at 1e-4, an ascent follows the signs of gradients, and
# features that hardly vary are divided by their deviations.
SHARES = {
    "hessian_top_eigenvalue": 1e-3,
    "gauss_newton_top_eigenvalue": 1e-3,
    "adaptive_sharpness_worst": 1e-2,
    "relative_flatness_published": 1e-3,
    "relative_flatness_published_loss": 1e-3,
}
# These count inputs, of which two may be on the other side of an edge.
COUNTS = ("train_accuracy", "test_accuracy", "test_ece", "test_ece_published")
# Each device draws random numbers of its own, so these may differ by 5 standard errors.
DRAWN = (
    *("sam_sharpness", "sam_sharpness_signed", "adaptive_sharpness_average"),
    *("hessian_trace", "gauss_newton_trace"),
)
# Nothing but the size is expected of networks that were trained apart, whose rounding grows with
# every step, and of what has draws that its standard error leaves out: a factor of 5.
LOOSE = 0.8
ONCE_DRAWN = ("sam_sharpness_published", "sam_sharpness_null")
ADOPTED = ("first/results/gpu", "adopted/results/adopted")
APART = ("sam_sharpness", "relative_flatness", "hessian_trace", "asc_sharpness")
EARLY = 0.02  # share of the training loss, while rounding has had few steps to grow
PROBE = "from minimascope.jobs.gpus import job_device as d; print(d(), flush=True); input()"


@dataclass(frozen=True)
class Comparison:
    """Two values: numbers that may be ``allowed`` apart, or texts that must be the same."""

    check: str
    place: str
    first: float | str
    second: float | str
    allowed: float = 0.0

    @property
    def difference(self) -> float:
        if isinstance(self.first, str):
            return float(self.first != self.second)
        return abs(self.first - self.second)

    @property
    def used(self) -> float:
        """The share of what is allowed that they are apart, infinite where that is unknown."""
        if self.difference == 0:
            return 0.0
        used = self.difference / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(used) else used

    def cells(self) -> list[str]:
        values = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in (self.first, self.second)]
        numbers = [f"{number:.2g}" for number in (self.difference, self.allowed)]
        return [self.check, self.place, *values, *numbers, "ok" if self.used <= 1 else "FAILED"]


def close(check: str, place: str, first: float, second: float, share: float) -> Comparison:
    return Comparison(check, place, first, second, share * max(abs(first), abs(second)))


def same_bytes(check: str, roots: list[Path], pattern: str) -> Iterator[Comparison]:
    for path in sorted(roots[0].glob(pattern)):
        relative = path.relative_to(roots[0])
        digests = [hashlib.sha256((root / relative).read_bytes()).hexdigest() for root in roots]
        yield Comparison(check, str(relative.parent), *(digest[:8] for digest in digests))


def computed(folder: Path) -> Iterator[Comparison]:
    """Yield where each run was computed, and whether it measured the same weights."""
    tables = {
        name: pd.read_csv(folder / name / "results/gpu/tables/provenance.csv")
        for name in ("first", "same", "apart")
    }
    for name, table in tables.items():
        device = default_device() if name == "first" else torch.device("cpu")
        for found in table.device.unique():
            yield Comparison("computed on", name, found, device_name(device))
    rows = [tables[name].set_index(KEYS[:-1]).model for name in ("first", "same")]
    for key, pair in pd.concat(rows, axis=1).iterrows():
        yield Comparison(
            "the same weights are measured", "/".join(key), *(str(x)[:8] for x in pair)
        )


def same_weights(folder: Path) -> Iterator[Comparison]:
    """Compare all measures of the same weights, and the barriers between them."""
    roots = [folder / name / "results/gpu" for name in ("first", "same")]
    tables = [pd.read_csv(root / "tables/measures.csv") for root in roots]
    # The gap is the difference of two accuracies that are compared themselves.
    tables = [table[table.measure != "generalisation_gap"] for table in tables]
    both = tables[0].merge(tables[1], "outer", on=KEYS, suffixes=("_first", "_second"))
    for _, row in both.iterrows():
        check, place = f"{row.family}: {row.measure}", f"{row.network}/{row.condition}"
        yield Comparison(check, place, row.value_first, row.value_second, tolerance(row))
    for path in roots[0].glob("interpolation/*/*/*.json"):
        files = path, roots[1] / path.relative_to(roots[0])
        barriers = [json.loads(file.read_text())["barriers"] for file in files]
        for name, values in pd.DataFrame(barriers).items():
            yield close("barrier", f"{path.parent.name}, {name}", *values, SHARE)


def adopted(folder: Path) -> Iterator[Comparison]:
    """Compare all measures of adopted networks with those of the study that trained them.

    Both were computed on one device, from the same random numbers.
    """
    files = [folder / path / "tables/measures.csv" for path in ADOPTED]
    trained, found = (pd.read_csv(file).set_index(KEYS).value for file in files)
    for key, value in found.items():
        yield close("adopted: measures", "/".join(key), trained.get(key, math.nan), value, SHARE)


def tolerance(row: pd.Series) -> float:
    """How far apart a measure of the same weights may be on two devices."""
    measure, size = row.measure, max(abs(row.value_first), abs(row.value_second))
    if measure in ONCE_DRAWN:
        return LOOSE * size + 1e-9  # without augmentation the second is float64's rounding
    if measure in COUNTS:
        return 2 / row.n_first
    error = math.hypot(row.standard_error_first, row.standard_error_second)
    return SHARES.get(measure, SHARE) * size + (5 * error if measure in DRAWN else 0)


def trained_apart(folder: Path) -> Iterator[Comparison]:
    """Compare what two devices trained each by itself; only its beginning can be close."""
    roots = [folder / name / "results/gpu" for name in ("first", "apart")]
    yield from same_bytes("data: same bytes", roots, "data/*/prepared.safetensors")
    yield from same_bytes("initial weights: same bytes", roots, "models/*/*/initial/*.safetensors")
    losses = [early_losses(root) for root in roots]
    for run, values in pd.DataFrame(losses).items():
        if "augmentation" not in run:  # random crops are drawn on the device
            yield close("trained apart: loss of the first epoch", run, *values, EARLY)
    tables = [pd.read_csv(root / "tables/measures.csv").groupby("measure").value for root in roots]
    means = [table.mean() for table in tables]
    accuracies = [mean.test_accuracy for mean in means]
    yield Comparison("trained apart: test_accuracy", "mean of all", *accuracies, 0.1)
    for measure in APART:
        values = [mean[measure] for mean in means]
        yield close(f"trained apart: {measure}", "mean of all", *values, LOOSE)
    toys = [json.loads((root / "measures/toy_fits/all.json").read_text())["rows"] for root in roots]
    for pair in zip(*toys, strict=True):
        if (pair[0]["at"], pair[0]["value"]) == ("epoch", 10):
            losses = [row["train_loss"] for row in pair]
            yield close("toy fits: loss after 10 epochs", pair[0]["function"], *losses, EARLY)


def early_losses(root: Path) -> dict[str, float]:
    rows = pd.concat(map(pd.read_csv, root.glob("models/*/*/*/*/history.csv"))).query("epoch == 1")
    return dict(zip(rows.network + "/" + rows.condition, rows.train_loss, strict=True))


def repeated(folder: Path) -> Iterator[Comparison]:
    """Compare deterministic trainings with themselves, and compiled ones with plain ones."""
    roots = [folder / name / "results/repeated" for name in ("once", "again")]
    pattern = "models/*/*/*/*/model.safetensors"
    yield from same_bytes("deterministic training twice: same bytes", roots, pattern)
    losses = early_losses(roots[0])
    for network in ("resnet18", "vit"):
        values = [losses[f"{network}/{condition}"] for condition in ("plain", "compiled")]
        yield close("plain and compiled: loss of the first epoch", network, *values, EARLY)


def out_of_memory(_: Path) -> Iterator[Comparison]:
    """Compare a loss with all memory and with too little, where the batch is halved."""
    device = default_device()
    if device.type == "cpu":
        return
    spec = NetworkSpec("resnet18", 3, (32, 32), 10)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).eval().to(device)
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1024, 3, 32, 32), generator=draws).byte().to(device)
    labels = torch.randint(0, 10, (1024,), generator=draws).to(device)
    losses, sizes = [], []
    with precision("fp32", device):
        for share in (1.0, None):
            torch.cuda.empty_cache()
            # An activation of all images takes 256 MiB.
            room = torch.cuda.memory_reserved(device) + 160 * 2**20
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(share or room / total)
            losses.append(Objective(Split(images, labels)).mean(model).item())
            sizes.append(inputs_at_once(images, 1024))
    yield close("out of memory: loss", "{} and {} inputs at once".format(*sizes), *losses, 1e-5)
    yield Comparison("out of memory: fewer inputs at once", "", str(sizes[1] < sizes[0]), "True")


def several_gpus(_: Path) -> Iterator[Comparison]:
    """Compare the GPUs that two jobs take at the same time with what they should be."""
    if torch.cuda.device_count() < 2:
        return
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    jobs = [subprocess.Popen([sys.executable, "-c", PROBE], **pipes) for _ in range(2)]
    taken = sorted(job.stdout.readline().strip() for job in jobs)
    for job in jobs:
        job.communicate("\n")
    yield Comparison("two jobs take two GPUs", "", " ".join(taken), "cuda:0 cuda:1")


def programs(folder: Path) -> Iterator[Comparison]:
    """Compare how the benchmark and the tests that need a GPU ended with how they should."""
    failures = (folder / "bench.txt").read_text().count("| failed, ")
    yield Comparison("benchmarks/gpu.py --quick: failures", "", float(failures), 0.0)
    if default_device().type == "cuda":
        last = (folder / "tests.txt").read_text().splitlines()[-1]
        yield Comparison("tests that need a GPU", last, str("passed" in last), "True")


CHECKS = (
    computed,
    same_weights,
    adopted,
    trained_apart,
    repeated,
    out_of_memory,
    several_gpus,
    programs,
)


def rows_of(check: Callable[[Path], Iterator[Comparison]], folder: Path) -> list[list[str]]:
    """Return the worst comparison of each kind as a row of the table."""
    name = check.__name__.replace("_", " ")
    try:
        found = list(check(folder))
    except Exception as error:  # That a check cannot be made here is a result as well.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return [[name, "", reason, "", "", "", "FAILED"]]
    if not found:
        return [[name, "", "", "", "", "", f"not tried: {torch.cuda.device_count()} GPU(s)"]]
    kinds = dict.fromkeys(comparison.check for comparison in found)
    worst = [max((c for c in found if c.check == kind), key=lambda c: c.used) for kind in kinds]
    return [comparison.cells() for comparison in worst]


def facts() -> str:
    """Return what the numbers depend on."""
    device = default_device()
    found = [f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", f"first: {device_name(device)}"]
    found += ["same and apart: cpu", f"torch {torch.__version__}"]
    if device.type == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        found += [f"CUDA {torch.version.cuda}", f"driver {driver[0]}"]
    return ", ".join(found)


def main(folder: Path) -> int:
    """Print the table, keep it, and return 1 if a check failed."""
    rows = [row for check in CHECKS for row in rows_of(check, folder)]
    columns = ["check", "worst of", "first", "second", "difference", "tolerance", ""]
    table = pd.DataFrame(rows, columns=columns).to_markdown(index=False, disable_numparse=True)
    failed = sum(row[-1] == "FAILED" for row in rows)
    text = f"{facts()}\n\n{table}\n\n{failed} of {len(rows)} checks failed.\n"
    (folder / "table.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
