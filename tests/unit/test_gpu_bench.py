"""The benchmark for GPUs runs on a CPU too, and its tables have the shape they should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    yield gpu
    for name in ("gpu", "cases"):
        sys.modules.pop(name)


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of each Markdown table."""
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block]
        for block in blocks
        if block[0].startswith("|")
    ]


def test_the_quick_run_fills_both_tables(tmp_path):
    output = tmp_path / "gpu.md"
    command = [sys.executable, "-W", "ignore", ROOT / "benchmarks" / "gpu.py", "--quick"]
    command += ["--epochs", "1", "--workers", "0", "--output", output]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    text = output.read_text(encoding="utf-8")
    assert result.stdout == text
    assert ", cpu, torch " in text.splitlines()[0]
    training, sharpness = tables(text)
    assert {len(row) for row in training} == {11}
    ways = [row[:4] for row in training[3:]]
    assert ways[:4] == [
        ["resnet18", precision, sam, "no"]
        for precision in ("fp32", "bf16")
        for sam in ("no", "yes")
    ]
    assert [way[0] for way in ways[4:]] == ["vit", "vgg19"]
    assert training[2][0] == "resnet18, DataLoader loop, 0 workers"
    # Of the last columns, memory is known on a GPU only and nothing was compiled.
    numbers = [float(cell.replace(",", "")) for row in training[2:] for cell in row[4:9]]
    assert all(number >= 0 for number in numbers)
    assert [row[9:] for row in training[2:]] == [["–", ""]] * 7
    assert [row[0] for row in sharpness[2:]] == ["fp32"]
    assert float(sharpness[2][1]) > 0


def test_a_compilation_pays_if_the_whole_run_is_shorter(gpu):
    plain = gpu.Timing(epoch=2.0, warm_up=0.0, gigabytes=1.5)
    assert gpu.verdict(gpu.Timing(1.0, 60.0, None), plain) == "yes (-40 s)"
    assert gpu.verdict(gpu.Timing(1.9, 60.0, None), plain) == "no (+50 s)"
    assert gpu.verdict(plain, None) == "?"
    size = gpu.Size(images=1000)
    assert (
        gpu.cells(gpu.Timing(0.5, 3.0, 1.5), size, plain) == "2,000 | 4.00 | 0.50 | 3.0 | 53 | 1.5"
    )


def test_the_first_epoch_is_the_warm_up(gpu):
    assert gpu.timing([9.0, 2.0, 4.0, 3.0], gpu.torch.device("cpu")) == gpu.Timing(3.0, 6.0, None)


def test_a_setting_that_does_not_run_is_reported_in_its_row(gpu, monkeypatch):
    plain = gpu.Timing(2.0, 0.0, None)
    monkeypatch.setattr(gpu, "time_plain_loop", lambda *_: plain)

    def time_training(setting, *_):
        if setting.compile:
            raise RuntimeError("no compiler | here")
        return plain

    monkeypatch.setattr(gpu, "time_training", time_training)
    settings = [gpu.Setting("resnet18", "fp32", compile, False) for compile in (False, True)]
    rows = list(gpu.training_rows(settings, ["vit"], gpu.cases.pictures(8), gpu.QUICK, 0))
    (table,) = tables("\n".join(rows))
    assert {len(row) for row in table} == {11}
    assert table[4][4] == "failed"
    assert table[4][10] == "RuntimeError: no compiler / here"
    assert table[5][:4] == ["vit", "fp32", "no", "no"]
