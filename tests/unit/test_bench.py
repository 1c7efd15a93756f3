"""The benchmark compares equals, and that for GPUs runs on a CPU too."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from minimascope.devices import device_name

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def cases(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import cases

    yield cases
    sys.modules.pop("cases")


@pytest.fixture
def curvature(monkeypatch):
    """The comparison of curvature, with few products and a little training."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import curvature

    monkeypatch.setattr(curvature, "PRODUCTS", 30)
    monkeypatch.setattr(curvature, "REFERENCE_PRODUCTS", 30)
    monkeypatch.setattr(curvature, "trained", partial(curvature.trained, epochs=1, n=30))
    # Its own products would take most of the time.
    theirs = {True: curvature.our_trace("hessian"), False: curvature.ours("hessian", 1)}
    monkeypatch.setattr(curvature, "curvlinops", lambda kind, trace: theirs[trace])
    monkeypatch.setattr(curvature, "gauss_newton_methods", dict)
    yield curvature
    sys.modules.pop("curvature")


def test_relative_flatness_by_autodiff_gives_the_closed_form(cases):
    case = cases.relative_flatness_case(classes=4, size=6, n=9)
    assert case.usual() == pytest.approx(case.ours(), rel=1e-10)


def test_the_loop_over_samples_gives_the_fisher_rao_norm(cases):
    case = cases.fisher_rao_case(classes=5, n=30)
    assert case.usual() == pytest.approx(case.ours(), rel=1e-10)


def test_the_other_cases_run(cases):
    for case in (
        cases.large_relative_flatness_case(4, 6, 9),
        cases.training_case(train=True, n=8, width=0.0625),
        cases.training_case(train=False, n=8, width=0.0625),
        cases.attack_case("pgd", "linf", n=4, size=8, steps=2),
        cases.attack_case("apgd", "l2", n=4, size=8, steps=2),
        cases.perturbation_case(by_copies=False, samples=2),
        cases.perturbation_case(by_copies=True, samples=2),
        cases.landscape_case(points=3),
        cases.toy_fits_case(points=9, epochs=2),
    ):
        assert not case.equal
        case.ours()
        case.usual()


def test_the_trace_agrees_with_curvlinops(cases):
    """On a network without LayerNorm, where its Hessian is right."""
    case = cases.trace_case(products=9, n=16)
    ours, other = case.ours(), case.usual()
    assert abs(ours.value - other) < 6 * ours.standard_error


def test_ways_to_the_curvature_are_near_the_reference(curvature, monkeypatch):
    monkeypatch.setattr(curvature, "find_spec", lambda package: None)
    _, _, *lines = curvature.rows(1, ["resnet18"])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:-3]]
    assert [row[2] for row in rows].count("ours") == 2
    for _, what, how, products, seconds, error in rows:
        # Traces are estimates; power iteration stops on a calm value.
        allowed = 0.3 if "trace" in what else 0.02 if "power" in how else 1e-3
        assert float(error) < allowed, (what, how)
        assert float(seconds) >= 0
        assert products == "–" or int(products) > 3
    assert lines[-2:] == [
        "PyHessian: not installed, left out",
        "hessian-eigenthings: not installed, left out",
    ]


def test_the_quick_run_for_gpus_fills_both_tables(tmp_path):
    output = tmp_path / "gpu.md"
    command = [sys.executable, "-W", "ignore", BENCHMARKS / "gpu.py", "--quick"]
    command += ["--epochs", "1", "--workers", "0", "--output", output]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    text = output.read_text(encoding="utf-8")
    assert result.stdout == text
    facts, _, *lines = text.splitlines()
    assert f", {device_name(torch.device('cpu'))}, torch " in facts
    training, sharpness = lines[: lines.index("")], lines[lines.index("") + 1 :]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in training]
    assert {len(row) for row in rows} == {10}
    assert [row[:4] for row in rows[3:]] == [
        *(["resnet18", name, sam, "no"] for name in ("fp32", "bf16") for sam in ("no", "yes")),
        *([network, "bf16", "no", "no"] for network in ("vit", "vgg19")),
    ]
    # Memory is known on a GPU only.
    assert all(row[9] == "–" for row in rows[2:])
    assert all(float(cell.replace(",", "")) >= 0 for row in rows[2:] for cell in row[4:9])
    assert sharpness[-1].startswith("| fp32 | ")


def test_each_way_to_flat_minima_has_its_cost(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import flat_minima

    monkeypatch.setattr(flat_minima, "PLAIN", replace(flat_minima.PLAIN, epochs=1))
    lines = list(flat_minima.rows(repeats=1, samples=100))
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(flat_minima.WAYS)
    sys.modules.pop("flat_minima")
