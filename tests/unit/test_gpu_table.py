"""The table of tests/gpu.sh says what differs between two devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gpu_table
import pandas as pd
import pytest
import torch

from minimascope.analysis.measure_names import MEASURES as DESCRIBED
from minimascope.devices import device_name

CPU = device_name(torch.device("cpu"))
RUNS = [("resnet18", "baseline"), ("vit", "augmentation")]
# A measure of each kind: compared closely, counted, drawn, drawn once.
VALUES = {
    "relative_flatness": 2.0,
    "test_accuracy": 0.9,
    "sam_sharpness": 0.5,
    "sam_sharpness_published": 0.6,
    "hessian_trace": 30.0,
    "gauss_newton_trace": 20.0,
    "asc_sharpness": 4.0,
}
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is visible")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What tests/gpu.sh leaves behind where all is well."""
    for name in ("first", "same", "apart"):
        root = tmp_path / name / "results/gpu"
        keys = [(*run, "clean", "family", measure) for run in RUNS for measure in VALUES]
        table = pd.DataFrame(keys, columns=gpu_table.KEYS)
        table["value"] = [VALUES[measure] for measure in table.measure]
        table = table.assign(unit="fraction", n=100, standard_error=0.01)
        origin = pd.DataFrame(keys, columns=gpu_table.KEYS).drop(columns="measure")
        origin = origin.drop_duplicates().assign(device=CPU, model="a0b1c2d3e4")
        write(root / "tables/measures.csv", table.to_csv(index=False))
        write(root / "tables/provenance.csv", origin.to_csv(index=False))
        write(root / "data/digits/prepared.safetensors", "images")
        write(root / "interpolation/digits/vit/seed0.json", json.dumps({"barriers": {"a–b": 0.5}}))
        toys = [{"at": "epoch", "value": 10, "function": "booth", "train_loss": 7.0}]
        write(root / "measures/toy_fits/all.json", json.dumps({"rows": toys}))
        for network, condition in RUNS:
            write(root / f"models/digits/{network}/initial/seed0.safetensors", "drawn")
            write_history(root, network, condition)
    for name in ("once", "again"):
        root = tmp_path / name / "results/repeated"
        for network in ("resnet18", "vit"):
            for condition in ("plain", "compiled"):
                run = root / f"models/digits/{network}/{condition}/seed0"
                write(run / "model.safetensors", "weights")
                write_history(root, network, condition)
    kept = pd.read_csv(tmp_path / "first" / MEASURES).iloc[: len(VALUES)]
    write(tmp_path / ADOPTED, kept.to_csv(index=False))
    write(tmp_path / "bench.txt", "| resnet18 | fp32 | no | no | 1 |")
    return tmp_path


def write_history(root: Path, network: str, condition: str, loss: float = 1.5) -> None:
    history = "network,condition,epoch,train_loss\n" + f"{network},{condition},1,{loss}\n"
    write(root / f"models/digits/{network}/{condition}/seed0/history.csv", history)


def change(path: Path, column: str, place: int, value: object) -> None:
    table = pd.read_csv(path)
    table.loc[place, column] = value
    table.to_csv(path, index=False)


def verdicts(folder: Path, capsys) -> tuple[int, dict[str, list[str]]]:
    """Return the exit status, and the cells of each check after its name."""
    status = gpu_table.main(folder)
    published = capsys.readouterr().out
    assert published == (folder / "table.md").read_text()
    lines = [line for line in published.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return status, {row[0]: row[1:] for row in rows}


def test_equal_runs_pass_and_what_needs_a_gpu_is_not_tried(folder, capsys):
    status, found = verdicts(folder, capsys)
    assert status == 0
    assert len(found) > 15
    not_tried = {"out of memory", "several gpus"}
    assert {row[-1] for name, row in found.items() if name not in not_tried} == {"ok"}
    assert {found[name][-1] for name in not_tried} == {"not tried: 0 GPU(s)"}


ADOPTED = "adopted/results/adopted/tables/measures.csv"
MEASURES, PROVENANCE = "results/gpu/tables/measures.csv", "results/gpu/tables/provenance.csv"


@pytest.mark.parametrize(
    ("run", "measure", "value", "verdict"),
    [
        (0, "relative_flatness", 2.00005, "ok"),
        (1, "relative_flatness", 2.01, "FAILED"),
        (0, "test_accuracy", 0.919, "ok"),
        (1, "test_accuracy", 0.93, "FAILED"),
        (0, "sam_sharpness", 0.57, "ok"),
        (1, "sam_sharpness", 0.6, "FAILED"),
        (0, "gauss_newton_trace", 20.07, "ok"),
        (1, "gauss_newton_trace", 20.08, "FAILED"),
        (0, "sam_sharpness_published", 2.9, "ok"),
        (1, "sam_sharpness_published", 3.1, "FAILED"),
        (0, "relative_flatness", None, "FAILED"),
    ],
)
def test_a_measure_fails_beyond_its_tolerance(folder, capsys, run, measure, value, verdict):
    row = run * len(VALUES) + list(VALUES).index(measure)
    change(folder / "same" / MEASURES, "value", row, value)
    status, found = verdicts(folder, capsys)
    name = f"family: {measure}"
    assert found[name][-1] == verdict
    assert status == (verdict == "FAILED")
    if verdict == "FAILED":
        assert found[name][0] == "/".join(RUNS[run])


def test_every_tolerance_is_of_a_measure_that_is_computed():
    named = {*gpu_table.SHARES, *gpu_table.COUNTS, *gpu_table.DRAWN, *gpu_table.ONCE_DRAWN}
    assert named <= DESCRIBED.keys()


def test_a_measure_that_one_device_lacks_fails(folder, capsys):
    path = folder / "same" / MEASURES
    table = pd.read_csv(path)
    table.drop(index=0).to_csv(path, index=False)
    status, found = verdicts(folder, capsys)
    assert status == 1
    assert found["family: relative_flatness"][-1] == "FAILED"


def spoil_history(path: Path) -> None:
    change(path, "train_loss", 0, 1.6)


SPOILT = {
    "computed on": ("first", PROVENANCE, lambda path: change(path, "device", 0, "H100")),
    "the same weights are measured": (
        "same",
        PROVENANCE,
        lambda path: change(path, "model", 1, "another"),
    ),
    "adopted: measures": ("", ADOPTED, lambda path: change(path, "value", 2, 0.51)),
    "barrier": (
        "same",
        "results/gpu/interpolation/digits/vit/seed0.json",
        lambda path: path.write_text('{"barriers": {"a–b": 0.501}}'),
    ),
    "data: same bytes": (
        "apart",
        "results/gpu/data/digits/prepared.safetensors",
        lambda path: path.write_text("others"),
    ),
    "initial weights: same bytes": (
        "apart",
        "results/gpu/models/digits/vit/initial/seed0.safetensors",
        lambda path: path.write_text("others"),
    ),
    "trained apart: loss of the first epoch": (
        "apart",
        "results/gpu/models/digits/resnet18/baseline/seed0/history.csv",
        spoil_history,
    ),
    "trained apart: test_accuracy": (
        "apart",
        MEASURES,
        lambda path: change(path, "value", 1, 0.5),
    ),
    "trained apart: hessian_trace": (
        "apart",
        MEASURES,
        lambda path: change(path, "value", 4, 500.0),
    ),
    "toy fits: loss after 10 epochs": (
        "apart",
        "results/gpu/measures/toy_fits/all.json",
        lambda path: path.write_text(path.read_text().replace("7.0", "8.0")),
    ),
    "deterministic training twice: same bytes": (
        "again",
        "results/repeated/models/digits/vit/compiled/seed0/model.safetensors",
        lambda path: path.write_text("others"),
    ),
    "plain and compiled: loss of the first epoch": (
        "once",
        "results/repeated/models/digits/vit/compiled/seed0/history.csv",
        spoil_history,
    ),
    "benchmarks/gpu.py --quick: failures": (
        "",
        "bench.txt",
        lambda path: path.write_text("| vit | bf16 | no | no | failed, RuntimeError: … | | |"),
    ),
}


@pytest.mark.parametrize("check", SPOILT)
def test_a_planted_difference_fails(folder, capsys, check):
    place, path, spoil = SPOILT[check]
    spoil(folder / place / path)
    status, found = verdicts(folder, capsys)
    assert status == 1
    assert found[check][-1] == "FAILED"
    assert [row[-1] for row in found.values()].count("FAILED") == 1


def test_a_run_that_did_not_finish_fails(folder, capsys):
    (folder / "apart" / MEASURES).unlink()
    status, found = verdicts(folder, capsys)
    assert status == 1
    assert found["trained apart"][-1] == "FAILED"
    assert "apart/results/gpu/tables/measures.csv" in found["trained apart"][1]


def test_without_a_gpu_nothing_is_tried(tmp_path):
    folder = tmp_path / "results"
    environment = os.environ | {
        "BIN": str(Path(sys.executable).parent),
        "FOLDER": str(folder),
        "CUDA_VISIBLE_DEVICES": "",
    }
    script = Path(gpu_table.__file__).with_name("gpu.sh")
    result = subprocess.run([script], env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (77, "no GPU here: nothing was tried\n")
    assert not folder.exists()
