"""A job computes with the kernels that the workflow chooses, or with those that a user wants."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_study import ROOT, STUDY

from minimascope.kernels import KERNELS, choose_kernels

CHOSEN: dict[str, str] = {}
choose_kernels(CHOSEN)

RULES = f"""
include: {str(ROOT / "rules" / "common.smk")!r}


rule compute:
    output:
        "found.json",
    script:
        "compute.py"
"""
# It imports nothing of this workflow.
SCRIPT = """
import json
from pathlib import Path

import numpy as np
import torch

found = {
    "torch": torch.backends.cpu.get_cpu_capability(),
    "numpy with AVX-512": np._core._multiarray_umath.__cpu_features__["X86_V4"],
}
Path(snakemake.output[0]).write_text(json.dumps(found))
"""


def in_a_job(folder: Path, **environment: str) -> dict[str, str | bool]:
    """Return for which instructions torch and numpy have their kernels in a job."""
    (folder / "Snakefile").write_text(RULES, encoding="utf-8")
    (folder / "compute.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    outside = {name: text for name, text in os.environ.items() if name not in KERNELS}
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "study.yaml"],
        cwd=folder,
        env=outside | environment,
        check=True,
    )
    return json.loads((folder / "found.json").read_text("utf-8"))


@pytest.mark.workflow
@pytest.mark.skipif(not CHOSEN, reason="this processor is not x86-64 with AVX2 under Linux")
@pytest.mark.parametrize(
    ("environment", "torch_has"),
    [({}, "AVX2"), ({"ATEN_CPU_CAPABILITY": "default"}, "DEFAULT")],
    ids=["chosen", "a user's own"],
)
def test_a_job_has_the_kernels(tmp_path: Path, environment, torch_has):
    assert in_a_job(tmp_path, **environment) == {
        "torch": torch_has,
        "numpy with AVX-512": False,
    }
