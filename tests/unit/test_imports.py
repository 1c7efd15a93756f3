"""Jobs that compute with no tensors import no torch, which takes seconds to start."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = SCRIPTS.parent / "tools"
# What computes with tensors; every other job does without.
WITH_TENSORS = {
    *("prepare", "other_set", "features", "corrupt", "initialise", "adopt", "train", "evaluate"),
    *("corrupt_recordings", "evaluate_own", "network_ensembles", "sharpness", "interpolate"),
    *("attack", "toy_fits", "toy_sharpness", "trajectory"),
}
PROGRAM = """
import json, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            asked.append(name)
            raise ImportError(name)

def asks(code):
    asked.clear()
    try:
        exec(code, {})
    except ImportError:
        if not asked:
            raise
    return bool(asked)

asked = []
sys.meta_path.insert(0, NoTorch())
print(json.dumps([name for name, code in json.load(sys.stdin).items() if asks(code)]))
"""
COMPONENTS = """
from minimascope import components, registry, tables_and_figures
from minimascope.study import loading

kinds = tables_and_figures.GATHERED, tables_and_figures.TABLES, tables_and_figures.ALL_FIGURES
locations = [c.location for kind in kinds for c in kind.values()]
locations += [table.text for table in tables_and_figures.TABLES.values() if table.text]
recorded = [s for s in registry.SOURCES.values() if components.RECORDINGS in s.gives]
locations += [component.location for component in (*recorded, registry.SCENES)]
# The geometry of toy functions is computed by automatic differentiation.
locations.remove(tables_and_figures.TABLES["toy_geometry"].location)
for location in locations:
    components.load(location)
"""
TRAININGS = """
import sys

import torch
from torch import nn

from minimascope.data.prepared import Dataset, Split
from minimascope.optim.sam import SAM
from minimascope.training import TrainingSpec, train

split = Split(torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1]))
averages = None, {"name": "swa", "start": 0.5}, {"name": "ema", "decay": 0.9}, None
for name, averaging in zip(("sgd", "adam", "adamw", "rmsprop"), averages):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    spec = TrainingSpec(2, 2, {"name": name, "lr": 0.01}, sam=SAM(0.05), averaging=averaging)
    train(model, Dataset(split, split, ("a", "b")), spec, seed=0)
print("torch._dynamo" in sys.modules)
"""


def imports_of(script: Path) -> str:
    text = script.read_text(encoding="utf-8")
    return text.partition("\nwith job(")[0].partition("\n\n\ndef ")[0]


def test_only_jobs_with_tensors_import_torch():
    jobs = {p.stem: p for p in SCRIPTS.glob("*.py") if "with job(snakemake)" in p.read_text()}
    assert jobs.keys() > WITH_TENSORS
    codes = {name: imports_of(path) for name, path in jobs.items() if name not in WITH_TENSORS}
    # What tables, drawing and listing recordings find through the registry.
    codes |= {
        "compare": imports_of(TOOLS / "compare.py"),
        "components": COMPONENTS,
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=SCRIPTS,
        # Programs import what lies beside them.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (SCRIPTS, TOOLS)))},
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == []


def test_trainings_do_not_load_torchs_compiler_which_takes_longer_than_a_small_one():
    command = [sys.executable, "-c", TRAININGS]
    result = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
