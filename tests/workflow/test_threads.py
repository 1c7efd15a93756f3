"""A job's threads are those of its rule, whatever the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
RULES = """
rule all:
    input:
        expand("{threads}.txt", threads=[1, 2]),


rule compute:
    output:
        "{threads}.txt",
    log:
        "{threads}.log",
    threads: lambda wildcards: int(wildcards.threads)
    script:
        "compute.py"
"""
SCRIPT = """
from pathlib import Path

import torch

from minimascope.jobs.job import job

with job(snakemake):
    text = f"{torch.get_num_threads()}\\n{torch.__config__.parallel_info()}"
    Path(snakemake.output[0]).write_text(text)
"""


@pytest.mark.workflow
def test_torch_computes_with_the_threads_of_the_rule(tmp_path: Path):
    (tmp_path / "Snakefile").write_text(RULES)
    (tmp_path / "compute.py").write_text(SCRIPT)
    names = [name for name in os.environ if name.endswith("_NUM_THREADS")]
    environment = {name: text for name, text in os.environ.items() if name not in names}
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "7"},
        check=True,
    )
    for threads in (1, 2):
        found = (tmp_path / f"{threads}.txt").read_text().splitlines()
        assert found[0] == str(threads)
        assert any(f"omp_get_max_threads() : {threads}" in line for line in found)
        assert any(f"mkl_get_max_threads() : {threads}" in line for line in found)
