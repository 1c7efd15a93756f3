"""The same kernels on every x86-64 processor with AVX2, so that those of a maker round alike."""

import os
from collections.abc import MutableMapping
from pathlib import Path

# Libraries read these when they are loaded, or when they first compute.
KERNELS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # its convolutions
    "MKL_CBWR": "AVX2",  # its linear algebra
    "OPENBLAS_CORETYPE": "Haswell",  # linear algebra of numpy and scipy
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's own kernels
}


def choose_kernels(
    environment: MutableMapping[str, str] = os.environ, processor: Path = Path("/proc/cpuinfo")
) -> None:
    """Choose kernels for AVX2 in this process and its children, where the processor has it.

    A variable that is set already keeps its value.

    Args:
        environment: that of the process.
        processor: what Linux says about it.
    """
    if not {"avx2", "fma"} <= _features(processor):
        return
    chosen = dict(KERNELS)
    if "NPY_ENABLE_CPU_FEATURES" in environment:
        # numpy refuses to be told both what to use and what not to.
        del chosen["NPY_DISABLE_CPU_FEATURES"]
    for name, value in chosen.items():
        environment.setdefault(name, value)


def _features(processor: Path) -> set[str]:
    """Return the features of an x86 processor; none of another one, or where it is not Linux's."""
    if not processor.exists():
        return set()
    with processor.open(encoding="utf-8") as lines:
        return set(next((line for line in lines if line.startswith("flags")), "").split())
