"""The words of the command ``minimascope``, what it refuses and what it prints."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minimascope.command import main
from minimascope.command.text import report

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure"], "required: --data"),
        (["measure", "--data", "x"], "name a --network, or a --checkpoint"),
        (["measure", "--data", "x", "--netwrok", "mlp"], "unrecognized arguments: --netwrok mlp"),
        (["measure", "--data", "x", "--measures", "path"], "a study with training.keep; leave it"),
        (["measure", "--data", "x", "--measures", "sam"], "unknown name 'sam'; valid: adaptive_sh"),
        (["measure", "--data", "x", "--samples", "0"], "'0' is no whole number above 0"),
        (["measure", "--data", "x", "--weight-decay", "-1"], "'-1' is no number of 0 or more"),
        (["measure", "--data", "x", "--normalize", "a", "1"], "'a' is neither a number nor"),
        (["measure", "--data", "x", "--split", "val"], "invalid choice: 'val'"),
        (["measure", "--data", "x", "--set", "hessian"], "'hessian' is not of the form KEY=VALUE"),
        (
            ["measure", "--data", "x", "--network", "mlp", "--set", "hessian=1", "hessian.k=2"],
            "hessian has a value of its own",
        ),
        (["measure", "--data", "x", "--figure", "a.gif"], "'a.gif' ends in none of .png, .svg"),
        (["mesure"], "invalid choice: 'mesure'"),
        ([], "required: command"),
    ],
)
def test_words_that_make_no_sense_are_told_in_one_line(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed.startswith("error: ")
    assert message in printed


def test_pictures_of_several_sizes_are_refused_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for side in (4, 5):
        (tmp_path / "mixed/cat").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side)).save(tmp_path / f"mixed/cat/{side}.png")
    with pytest.raises(SystemExit, match=r"5 × 5 pixels where .* 4 × 4; resize .*--image-size"):
        main(["measure", "--data", "mixed", "--network", "mlp"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.zeros((2, 8, 8, 3), np.uint8), "labels": [0, 1]}, "has the channels last"),
        ({"inputs": np.zeros((2, 3)), "labels": [0, 1, 1]}, "2 inputs, 3 labels"),
        ({"inputs": np.array(["a", "b"]), "labels": [0, 1]}, "inputs: <U1 of shape"),
        ({"x": np.zeros((2, 3))}, "has x; it must have inputs and labels"),
    ],
)
def test_arrays_that_are_no_data_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(SystemExit) as ended:
        main(["measure", "--data", str(tmp_path / "odd.npz"), "--network", "mlp"])
    assert message in str(ended.value.code)


def test_ctrl_c_ends_the_command_with_one_line(monkeypatch, capsys):
    def stopped(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("minimascope.command.run.run", stopped)
    with pytest.raises(SystemExit) as ended:
        main(["measure", "--data", "x", "--network", "mlp"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "stopped by the user\n"


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from minimascope.command import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("words", [["measure", "--help"], ["measure", "--list"], ["--version"]])
def test_help_needs_no_torch_which_takes_seconds(words):
    command = [sys.executable, "-c", WITHOUT_TORCH, *words]
    result = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_all_measures_are_listed_in_a_line_each(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["measure", "--list"])
    assert ended.value.code in (None, 0)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("hessian: all of") for line in lines)
    assert any(re.match(r"  hessian_trace +Sum of the curvatures", line) for line in lines)
    assert any(line.startswith("  sam_sharpness_0p025 ") for line in lines)


def measured(value: float, **more) -> dict:
    found = {"measure": "train_loss", "value": value, "unit": "nats", "n": 5}
    found |= {"protocol": "corrected", "standard_error": None, "noise_floor": None}
    return found | {"converged": True} | more


def document_of(*measures: dict) -> dict:
    return {
        "network": {"name": "mlp", "options": {}, "parameters": 1, "weight_layers": 1},
        "checkpoint": None,
        "data": {"path": "x", "split": None, "found": None, "shape": [], "classes": []},
        "normalize": None,
        "loss": "mse",
        "seed": 0,
        "device": "cpu",
        "doubt": "",
        "families": [
            {
                "family": "forward",
                "seconds": 1.0,
                "measures": list(measures),
                "details": {"left_out": {"c": "no head", "d": "no head", "e": "no head"}},
            }
        ],
    }


def test_values_that_are_not_sure_are_marked():
    unsure = measured(1.9, measure="a", standard_error=1.0)
    stopped = measured(9.0, measure="b", converged=False, noise_floor=0.1)
    text = report(document_of(measured(0.5), unsure, stopped), ["a", "b", "c", "d", "train_loss"])
    assert re.search(r"^a +1\.9† +nats +1 ", text, re.MULTILINE)
    assert re.search(r"^b +9‡ ", text, re.MULTILINE)
    assert "† less than twice its standard error or noise floor" in text
    assert "‡ the solver stopped before" in text
    assert "note: without c, d: no head" in text
    sure = report(document_of(measured(0.5)), ["train_loss"])
    assert "†" not in sure
    assert "‡" not in sure


def test_the_library_can_be_run_as_the_command():
    command = [sys.executable, "-m", "minimascope", "--version"]
    result = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    assert result.stdout.startswith("minimascope ")
