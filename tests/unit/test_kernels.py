"""Kernels for AVX2 are chosen where the processor has it, unless the user chose others."""

from pathlib import Path

import pytest
import torch

from minimascope.devices import device_name
from minimascope.kernels import KERNELS, choose_kernels

SCRIPTS = Path(__file__).parents[2] / "scripts"
AVX512 = "processor\t: 0\nflags\t\t: fpu sse4_2 fma avx avx2 avx512f\n"
AVX2 = "processor\t: 0\nflags\t\t: fpu sse4_2 fma avx avx2\n"
CPU = torch.device("cpu")


def chosen(tmp_path: Path, says: str, **environment: str) -> dict[str, str]:
    """Return the environment after the choice, where Linux says this of its processor."""
    processor = tmp_path / "cpuinfo"
    processor.write_text(says, encoding="utf-8")
    choose_kernels(environment, processor)
    return environment


@pytest.mark.parametrize("says", [AVX512, AVX2])
def test_a_processor_with_avx2_gets_its_kernels(tmp_path, says):
    assert chosen(tmp_path, says) == KERNELS


@pytest.mark.parametrize(
    "says",
    [
        "processor\t: 0\nflags\t\t: fpu sse4_2 avx\n",
        "processor\t: 0\nFeatures\t: fp asimd sve\n",
        "",
    ],
    ids=["without AVX2", "aarch64", "empty"],
)
def test_other_processors_keep_theirs(tmp_path, says):
    assert chosen(tmp_path, says) == {}


def test_where_the_system_is_not_linux_nothing_is_chosen(tmp_path):
    environment: dict[str, str] = {}
    choose_kernels(environment, tmp_path / "cpuinfo")
    assert environment == {}


@pytest.mark.parametrize("name", KERNELS)
def test_a_variable_that_is_set_keeps_its_value(tmp_path, name):
    assert chosen(tmp_path, AVX512, **{name: "mine"}) == {**KERNELS, name: "mine"}


def test_numpy_is_not_told_what_to_leave_out_where_a_user_says_what_to_use(tmp_path):
    environment = chosen(tmp_path, AVX512, NPY_ENABLE_CPU_FEATURES="X86_V3")
    assert "NPY_DISABLE_CPU_FEATURES" not in environment
    assert environment.keys() > KERNELS.keys() - {"NPY_DISABLE_CPU_FEATURES"}


def test_results_name_the_kernels(monkeypatch):
    for name, value in KERNELS.items():
        monkeypatch.setenv(name, value)
    name = f"cpu {torch.backends.cpu.get_cpu_capability()}"
    assert device_name(CPU) == name
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert device_name(CPU) == f"{name}, MKL_CBWR=COMPATIBLE"
