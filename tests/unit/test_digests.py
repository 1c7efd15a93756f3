"""Small jobs give the same bytes on every AMD processor with AVX2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minimascope.kernels import KERNELS, choose_kernels

TESTS = Path(__file__).parents[1]
# No processor changes these, nor a change of the code that is neutral.
DIGESTS = {
    "elastic_transform": "9b152dfccba0baca",
    "resnet18 baseline": "43e1e99ce379af57",
    "resnet18 baseline_sam": "6b0c584e632ed49b",
    "vit baseline": "b5851f50fa749573",
    "vit baseline_sam": "29f999e0915c2580",
    "sam_sharpness": "0.0027600662143454358",
}
ADVICE = """{} instead of the stored ones.
- The code changed and was to compute the same: it does not.
- It was to compute something else, or a pinned version changed: store the new ones here, and say in
  CHANGELOG.md that results change.
- The code is as it was: this processor rounds differently, which breaks the promise of
  docs/environments.md; report it with the processor's name."""


def test_small_jobs_give_the_same_bytes_on_every_amd_processor():
    chosen: dict[str, str] = {}
    choose_kernels(chosen)
    if not chosen:
        pytest.skip("this processor is not x86-64 with AVX2 under Linux")
    if "AuthenticAMD" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        pytest.skip("MKL computes otherwise on processors that are not AMD's")
    own = {**KERNELS, "NPY_ENABLE_CPU_FEATURES": ""}
    environment = {name: text for name, text in os.environ.items() if name not in own}
    environment |= {"PYTHONPATH": str(TESTS.parent / "scripts"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, TESTS / "digests.py"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    changed = {name: digest for name, digest in found.items() if digest != DIGESTS.get(name)}
    assert found.keys() == DIGESTS.keys()
    assert not changed, ADVICE.format(changed)
