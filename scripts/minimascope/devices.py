"""Where, in which precision and by which kernels numbers are computed."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .errors import InputError
from .kernels import KERNELS

# cuBLAS repeats its sums in the same order only with a workspace of one of these forms.
REPRODUCIBLE_WORKSPACES = (":4096:8", ":16:8")
CONVOLUTIONS = (
    *(torch.conv1d, torch.conv2d, torch.conv3d),
    *(torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
)


def default_device() -> torch.device:
    """Return the first visible GPU, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """Return the name by which results say where they were computed.

    For a CPU it names the instructions of torch's kernels, and the `KERNELS` that a user chose.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    own = [
        f"{name}={os.environ[name]}"
        for name, value in KERNELS.items()
        if os.environ.get(name, value) != value
    ]
    return ", ".join([f"cpu {torch.backends.cpu.get_cpu_capability()}", *own])


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Let float32 products inside the block be exact (``fp32``, ``bf16``) or rounded (``tf32``).

    torch rounds the inputs of convolutions and of recurrent layers on GPUs to TensorFloat-32 unless
    told otherwise. For ``bf16`` see `autocast`.

    Raises:
        InputError: ``tf32`` was asked for on a CPU, which has no such format.
    """
    if name == "tf32" and device.type != "cuda":
        raise InputError("training.precision: tf32 needs a GPU; use fp32 or bf16 on a CPU")
    cudnn = torch.backends.cudnn
    backends = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [backend.fp32_precision for backend in backends]
    allowed = _rounded_by_cudnn()
    value = "tf32" if name == "tf32" else "ieee"
    # Where torch's older setting says otherwise, ``cudnn.flags`` fails, which a network may use.
    cudnn.allow_tf32 = value == "tf32"
    _set_precision(backends, [value] * len(backends))
    try:
        yield
    finally:
        cudnn.allow_tf32 = allowed
        _set_precision(backends, before)


def _set_precision(backends: Iterable[Any], values: Iterable[str]) -> None:
    for backend, value in zip(backends, values, strict=True):
        backend.fp32_precision = value


def _rounded_by_cudnn() -> bool:
    """Return torch's older setting of TF32 in cuDNN, which it tells only if the newer agree."""
    cudnn = torch.backends.cudnn
    newer = (cudnn.conv, cudnn.rnn)
    before = [backend.fp32_precision for backend in newer]
    _set_precision(newer, ["ieee"] * len(newer))
    try:
        return cudnn.allow_tf32
    except RuntimeError:
        return True
    finally:
        _set_precision(newer, before)


def autocast(name: str, device: torch.device) -> torch.autocast:
    """Return the context of a forward pass: bfloat16 where that is safe if name is ``bf16``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16")


@contextmanager
def algorithms(device: torch.device, deterministic: bool) -> Iterator[None]:
    """Let torch use the fastest kernels inside the block, or only those that repeat their bytes.

    On a CPU the fastest are torch's usual ones. On a GPU each convolution is timed once per shape.

    Raises:
        InputError: a GPU is to be deterministic, but cuBLAS was not told to be.
    """
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    if deterministic and device.type == "cuda" and workspace not in REPRODUCIBLE_WORKSPACES:
        raise InputError(
            "training.deterministic: on a GPU it needs the environment variable"
            f" CUBLAS_WORKSPACE_CONFIG={REPRODUCIBLE_WORKSPACES[0]}; set it and start again"
        )
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    if deterministic:
        torch.use_deterministic_algorithms(True)
    # Timings vary, and with them what is chosen.
    torch.backends.cudnn.benchmark = device.type == "cuda" and not deterministic
    try:
        yield
    finally:
        # Not where nothing was changed: torch loads its compiler to be told.
        if deterministic:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark


def fastest_memory_format(model: nn.Module, device: torch.device) -> torch.memory_format:
    """Return channels_last for convolutions on a GPU, whose tensor cores want it."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if convolves and device.type == "cuda":
        return torch.channels_last
    return torch.contiguous_format


def laid_out(
    tensor: torch.Tensor, memory_format: torch.memory_format = torch.contiguous_format
) -> torch.Tensor:
    """Return a tensor with the strides of a memory format: itself if it has them, or a copy.

    ``contiguous`` does not promise these: where a dimension has size 1, strides can fit both
    formats at once, and it leaves them. One-channel images with strides (h·w, 1, w, 1) then bring
    all convolutions to their channels-last kernels, which round in another way and, where they are
    for AVX2, write outside of their memory (docs/environments.md).
    """
    wanted = torch.empty(tensor.shape, device="meta", memory_format=memory_format).stride()
    return tensor if tensor.stride() == wanted else tensor.clone(memory_format=memory_format)


class _ContiguousConvolutions(TorchFunctionMode):
    """Lets every convolution inside the block have contiguous inputs and weights."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function in CONVOLUTIONS:
            args = tuple(map(_contiguous, args))
            kwargs = {name: _contiguous(value) for name, value in kwargs.items()}
        return function(*args, **kwargs)


def _contiguous(value: Any) -> Any:
    # Channels-last strides are those in which the second dimension is not the slowest after the
    # first.
    if isinstance(value, torch.Tensor) and value.layout is torch.strided and value.ndim > 2:
        strides = value.stride()
        return laid_out(value) if strides[1] <= strides[2] else value
    return value


@contextmanager
def contiguous_convolutions(device: torch.device) -> Iterator[None]:
    """Make convolutions on a CPU contiguous inside the block, whatever their inputs.

    Channels-last ones are computed wrongly by kernels for AVX2 (`laid_out`). Compiled networks are
    computed as if they were not compiled: a compiler chooses channels-last on its own.
    """
    if device.type != "cpu":
        yield
        return
    # Where this was never imported, nothing has been compiled; it takes seconds.
    compiled_before = "torch._dynamo" in sys.modules
    uncompiled = torch.compiler.set_stance("force_eager") if compiled_before else nullcontext()
    with uncompiled, _ContiguousConvolutions():
        yield


@contextmanager
def in_memory_format(model: nn.Module, memory_format: torch.memory_format) -> Iterator[None]:
    """Keep a network's parameters in a memory format inside the block, contiguous after it."""
    if memory_format is torch.contiguous_format:
        yield
        return
    model.to(memory_format=memory_format)
    try:
        yield
    finally:
        for parameter in model.parameters():
            parameter.data = laid_out(parameter.data)


def compiled(
    model: nn.Module, batch_size: int, draws: bool, deterministic: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the model's forward pass, compiled for batches of one size and plain for others.

    The model is not replaced, so that its parameters keep their names. Graphs that run before the
    next call may be overwritten by it: use the logits before.

    Args:
        model: on the device where it stays.
        batch_size: another size would take another compilation, for the last batch of an epoch.
        draws: whether the forward pass draws random numbers, as dropout does.
        deterministic: whether kernels may be chosen by their time.
    """
    # The compiler's own random numbers would give other dropout masks than the plain pass.
    options: dict[str, Any] = {"fallback_random": True, "deterministic": deterministic}
    on_gpu = next(model.parameters()).is_cuda
    if not on_gpu:
        # The compiler would lay out any convolution channels-last (`laid_out`). And it would take
        # from its cache on disk what was compiled for other kernels, which crashes: the cache does
        # not know ATEN_CPU_CAPABILITY.
        options |= {"layout_optimization": False, "fx_graph_cache": False}
    if on_gpu and not draws:
        # A graph's replay takes the seed that was set when it was recorded.
        options["triton.cudagraphs"] = True
    fast = torch.compile(lambda inputs: model(inputs), dynamic=False, options=options)

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) != batch_size:
            return model(inputs)
        if on_gpu:
            torch.compiler.cudagraph_mark_step_begin()
        return fast(inputs)

    return forward
