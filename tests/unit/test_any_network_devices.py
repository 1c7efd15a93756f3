"""Networks that compute by other kernels on a GPU: numbers are those of float64 on a CPU."""

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from sharpness_cases import few_for, randomise
from torch import distributed, nn
from torch.utils.data import DataLoader, TensorDataset

from minimascope import batches
from minimascope.command import main
from minimascope.data.prepared import Split
from minimascope.devices import precision
from minimascope.files import read_json
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.sharpness import measure, samples
from minimascope.sharpness.hessian import loss_hessian
from minimascope.sharpness.objective import Objective

HAS_GPU = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="no GPU is visible")
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler"
)
TOKENS, FEATURES, CLASSES, N = 4, 3, 3, 24
FIRST = ["train_loss", "fisher_rao_norm", "train_gradient_norm"]
SECOND = ["hessian_trace", "hessian_top_eigenvalue", "gauss_newton_trace"]
# More products than there are parameters: the traces are exact.
EXACT = {"trace_products": 300, "tolerance": 1e-5}
GPU = pytest.param("cuda", marks=needs_gpu, id="gpu")


@pytest.fixture(params=[pytest.param("cpu", id="cpu"), GPU])
def device(request) -> torch.device:
    return torch.device(request.param)


# --- networks -----------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Sequences [n, T, features] to logits, by cuDNN on a GPU."""

    def __init__(self, kind: type[nn.RNNBase], size: int):
        super().__init__()
        self.layer = kind(FEATURES, size, batch_first=True)
        self.head = nn.Linear(size, CLASSES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(inputs)[0][:, -1])


class FlaggedRecurrent(Recurrent):
    """One that does without cuDNN by itself, as users of second derivatives write it."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.backends.cudnn.flags(enabled=False):
            return super().forward(inputs)


class Encoder(nn.Module):
    """Attention with a mask, by fused kernels on a GPU, and LayerNorm."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(FEATURES, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.1, batch_first=True)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(TOKENS).to(inputs)
        return self.head(self.layer(self.embed(inputs), src_mask=mask)[:, -1])


class Convolutional(nn.Module):
    """Convolutions, BatchNorm, and a hard sigmoid, which torch differentiates only once."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv1d(FEATURES, 5, 3, padding=1), nn.BatchNorm1d(5)
        self.second, self.head = nn.Conv1d(5, 4, 3), nn.Linear(4, CLASSES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.norm(self.first(inputs.transpose(1, 2))))
        return self.head(nn.functional.hardsigmoid(self.second(hidden)).mean(2))


class Embedded(nn.Module):
    """Tokens by name, as of a language model, to an object with logits."""

    def __init__(self):
        super().__init__()
        self.tokens, self.layer = nn.Embedding(7, FEATURES), Encoder()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict:
        return {"logits": self.layer(self.tokens(input_ids) * attention_mask[..., None])}


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: Recurrent(nn.LSTM, 4),
    "gru": lambda: Recurrent(nn.GRU, 4),
    "lstm without cudnn": lambda: FlaggedRecurrent(nn.LSTM, 3),
    "encoder": Encoder,
    "convolutional": Convolutional,
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = NETWORKS[name]()
    randomise(model, sequences()[0])
    assert sum(p.numel() for p in model.parameters()) < EXACT["trace_products"]
    return model


def sequences(n: int = N) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(n, TOKENS, FEATURES, generator=draws), torch.arange(n) % CLASSES


# --- what is expected, in float64 on a CPU, from first derivatives alone -------------------------


def finite_differences(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, step: float = 1e-5
) -> dict[str, float]:
    """Return loss, gradient norm, traces and largest eigenvalue, by central differences."""
    model, inputs = copy.deepcopy(model).cpu().double().eval(), inputs.cpu().double()
    parameters = list(model.parameters())
    origin = nn.utils.parameters_to_vector(parameters).detach()

    def at(vector: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        nn.utils.vector_to_parameters(vector, parameters)
        logits = model(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        gradient = torch.autograd.grad(loss, parameters)
        return torch.cat([g.flatten() for g in gradient]), logits.detach(), loss.detach()

    rows, slopes = [], []
    for shift in step * torch.eye(len(origin), dtype=torch.float64):
        (ahead, out_ahead, _), (behind, out_behind, _) = at(origin + shift), at(origin - shift)
        rows.append((ahead - behind) / (2 * step))
        slopes.append((out_ahead - out_behind) / (2 * step))
    gradient, logits, loss = at(origin)
    p = logits.softmax(1)
    bends = p.diag_embed() - p[:, :, None] * p[:, None, :]
    slopes = torch.stack(slopes)
    hessian = torch.stack(rows)
    return {
        "train_loss": loss.item(),
        "train_gradient_norm": gradient.norm().item(),
        "hessian_trace": hessian.trace().item(),
        "hessian_top_eigenvalue": torch.linalg.eigvalsh((hessian + hessian.T) / 2)[-1].item(),
        "gauss_newton_trace": torch.einsum("pnc,ncd,pnd->", slopes, bends, slopes).item() / N,
    }


def values(model: nn.Module, *data: object, measures: object = None, **more) -> dict[str, float]:
    few = {"hessian": EXACT | more.pop("hessian", {})}
    found = measure(model, *data, measures=measures or [*FIRST, *SECOND], settings=few, **more)
    return {name: m.value for name, m in found.items()}


# --- second derivatives -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_second_derivatives_are_finite_differences_of_first_ones(name, dtype, device):
    model, (inputs, labels) = made(name), sequences()
    expected = finite_differences(model, inputs, labels)
    found = values(model.to(device), inputs.to(device), labels, hessian={"dtype": dtype})
    share = 1e-4 if dtype == "float32" else 1e-6
    for measured in SECOND:
        assert found[measured] == pytest.approx(expected[measured], rel=share), measured
    for measured in ("train_loss", "train_gradient_norm"):
        assert found[measured] == pytest.approx(expected[measured], rel=1e-5), measured


LARGE = {
    "timm:resnet18": {},
    "timm:vit_tiny_patch16_224": {"patch_size": 8, "depth": 3},
    "timm:convnext_atto": {},
}


@pytest.mark.parametrize("device", [pytest.param("cpu", marks=pytest.mark.slow), GPU])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", LARGE)
def test_products_with_the_hessian_of_timms_networks_are_right(name, dtype, device):
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=draws)
    split = Split(pictures, torch.tensor([0, 3, 1, 2]))
    spec = NetworkSpec(name, 3, (32, 32), 4, options=LARGE[name])
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.25])
    more = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8, generator=draws)
    model = randomise(model, more).double()
    parameters = list(model.parameters())
    vector = torch.cat(
        [
            torch.randn(p.numel(), dtype=torch.float64, generator=draws) * p.detach().std()
            for p in parameters
        ]
    )
    expected = gradient_difference(model, split, vector, 1e-8)
    there = torch.device(device)
    with precision("fp32", there):
        operator = loss_hessian(model.to(there, dtype), Objective(split.to(there)))
        product = operator @ vector.to(there, dtype)
    assert expected.norm() > 0
    error = (product.cpu().double() - expected).norm() / expected.norm()
    assert error < (1e-5 if dtype == torch.float64 else 1e-3)


def gradient_difference(
    model: nn.Module, split: Split, vector: torch.Tensor, step: float
) -> torch.Tensor:
    """Return the change of the gradient along a vector; few kinks of ReLU are that close."""
    parameters = list(model.parameters())
    origin = nn.utils.parameters_to_vector(parameters).detach()
    ends = []
    for sign in (1, -1):
        nn.utils.vector_to_parameters(origin + sign * step * vector, parameters)
        loss = nn.functional.cross_entropy(model(split.inputs), split.labels)
        ends.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    nn.utils.vector_to_parameters(origin, parameters)
    return (ends[0] - ends[1]) / (2 * step)


# --- wrapped, compiled, in half precision -------------------------------------------------------


@contextmanager
def distributed_data_parallel(model: nn.Module) -> Iterator[nn.Module]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield nn.parallel.DistributedDataParallel(model)
    finally:
        distributed.destroy_process_group()


@contextmanager
def compiled(model: nn.Module) -> Iterator[nn.Module]:
    torch.compiler.reset()
    yield torch.compile(model)
    torch.compiler.reset()


@contextmanager
def compiled_in_place(model: nn.Module) -> Iterator[nn.Module]:
    torch.compiler.reset()
    model.compile()
    yield model
    torch.compiler.reset()


WRAPPERS = {
    "DataParallel": lambda model: nullcontext(nn.DataParallel(model)),
    "DistributedDataParallel": distributed_data_parallel,
    "compiled": compiled,
    "compiled in place": compiled_in_place,
}
COMPILED = [pytest.param(name, marks=needs_compiler) for name in WRAPPERS if "comp" in name]


@pytest.mark.parametrize("wrapper", ["DataParallel", "DistributedDataParallel", *COMPILED])
def test_a_wrapped_network_has_the_values_of_the_one_inside(wrapper, device):
    model, (inputs, labels) = made("convolutional").to(device), sequences()
    expected = values(model, inputs, labels)
    with WRAPPERS[wrapper](copy.deepcopy(model)) as wrapped:
        outputs = wrapped(inputs.to(device))
        found = values(wrapped, inputs, labels)
        # It can still be used.
        torch.testing.assert_close(wrapped(inputs.to(device)), outputs)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("name", ["encoder", "lstm"])
def test_weights_in_half_precision_have_the_values_of_the_same_numbers(name, dtype, device):
    (inputs, labels), exact = sequences(), made(name)
    halved = copy.deepcopy(exact).to(dtype)
    expected = finite_differences(halved, inputs, labels)
    loss = finite_differences(exact, inputs, labels)["train_loss"]
    assert expected["train_loss"] != pytest.approx(loss, rel=1e-5)
    found = values(halved.to(device), inputs.to(device), labels)
    for measured, value in expected.items():
        assert found[measured] == pytest.approx(value, rel=1e-4), measured


# --- data elsewhere than the network ------------------------------------------------------------


def in_form(form: str, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[object, ...]:
    pairs = TensorDataset(inputs, labels)
    match form:
        case "tensors":
            return inputs, labels
        case "arrays":
            return inputs.numpy(), labels.numpy()
        case "a data set":
            return (pairs,)
        case "a loader":
            return (DataLoader(pairs, 7, pin_memory=HAS_GPU),)
        case "a loader with workers":
            return (DataLoader(pairs, 7, num_workers=1),)
        case "uneven batches":
            return (list(zip(inputs.split(11), labels.split(11), strict=True)),)
    raise ValueError(form)


OF_EACH_FAMILY = ["train_loss", "sam_sharpness", "fisher_rao_norm", "adaptive_sharpness_worst"]
OF_EACH_FAMILY += ["hessian_top_eigenvalue", "gauss_newton_trace", "asc_sharpness"]
FORMS = ["tensors", "arrays", "a data set", "a loader", "a loader with workers", "uneven batches"]


@pytest.mark.parametrize("limit", [2**30, 1], ids=["kept", "streamed"])
@pytest.mark.parametrize("form", FORMS)
def test_data_on_the_cpu_have_the_values_of_data_on_the_networks_device(
    form, limit, device, monkeypatch
):
    model, (inputs, labels) = made("encoder").to(device), sequences()
    # Each pass starts the workers anew.
    wanted = OF_EACH_FAMILY[:2] if "workers" in form else OF_EACH_FAMILY
    few = few_for(*wanted)
    few |= {"perturbation": {"samples": 3, "adaptive": {"samples": 4, "steps": 2}}}
    there = measure(model, inputs.to(device), labels.to(device), wanted, settings=few)
    monkeypatch.setattr(samples, "LARGEST_IN_MEMORY", limit)
    here = measure(model, *in_form(form, inputs, labels), measures=wanted, settings=few)
    assert list(here) == wanted
    for name, found in here.items():
        assert found.value == pytest.approx(there[name].value, rel=1e-3, abs=1e-7), name
        assert found.n == N


@pytest.mark.parametrize("limit", [2**30, 1], ids=["kept", "streamed"])
def test_mappings_of_tokens_reach_the_network_on_its_device(limit, device, monkeypatch):
    torch.manual_seed(0)
    model, labels = Embedded().eval(), torch.arange(N) % CLASSES
    ids = torch.randint(0, 7, (N, TOKENS))
    mask = (torch.arange(TOKENS) < 3).expand(N, TOKENS).long()
    loader = [
        {"input_ids": a, "attention_mask": b, "labels": c}
        for a, b, c in zip(ids.split(5), mask.split(5), labels.split(5), strict=True)
    ]
    with torch.no_grad():
        logits = copy.deepcopy(model).double()(ids, mask)["logits"]
    monkeypatch.setattr(samples, "LARGEST_IN_MEMORY", limit)
    found = values(model.to(device), loader, measures=["train_loss", "hessian_trace"])
    expected = nn.functional.cross_entropy(logits, labels).item()
    assert found["train_loss"] == pytest.approx(expected, rel=1e-5)
    plain = values(model, {"input_ids": ids, "attention_mask": mask}, labels)
    assert found["hessian_trace"] == pytest.approx(plain["hessian_trace"], rel=1e-3)


# --- surroundings -------------------------------------------------------------------------------


def state_of(device: torch.device) -> dict[str, object]:
    """Return everything of torch that a measurement might have changed."""
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    state = {
        "cpu's random numbers": torch.get_rng_state().tolist(),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "precision": [b.fp32_precision for b in (cuda.matmul, cudnn.conv, cudnn.rnn)],
        "products": (torch.get_float32_matmul_precision(), cuda.matmul.allow_tf32),
        "attention": (cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled()),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": (torch.is_autocast_enabled(device.type), torch.is_autocast_enabled("cpu")),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "current type": torch.get_default_dtype(),
    }
    if device.type == "cuda":
        state["gpu's random numbers"] = torch.cuda.get_rng_state(device).tolist()
        state["current gpu"] = torch.cuda.current_device()
        state["autocast's type"] = torch.get_autocast_dtype("cuda")
    return state


@contextmanager
def tf32(device: torch.device) -> Iterator[None]:
    """Round to TF32, as many scripts do; a CPU only keeps the setting."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
        torch.backends.cudnn.benchmark = False


SURROUNDINGS = {
    "autocast": lambda device: torch.autocast(device.type, torch.bfloat16),
    "no_grad": lambda _: torch.no_grad(),
    "inference_mode": lambda _: torch.inference_mode(),
    "tf32": tf32,
    "without cudnn": lambda _: torch.backends.cudnn.flags(enabled=False),
}


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
@pytest.mark.parametrize("name", ["lstm", "encoder", "convolutional"])
def test_surroundings_change_no_value_and_stay_as_they_are(name, surrounding, device):
    model, (inputs, labels) = made(name).to(device).train(), sequences()
    wanted = ["train_loss", "train_gradient_norm", "hessian_top_eigenvalue"]
    expected = finite_differences(model, inputs, labels)
    weights = copy.deepcopy(model.state_dict())
    with SURROUNDINGS[surrounding](device):
        before = state_of(device)
        found = values(model, inputs.to(device), labels, measures=wanted)
        # These draw random numbers.
        drawn = ["sam_sharpness", "asc_sharpness"]
        measure(model, inputs, labels, drawn, settings=few_for(*drawn))
        after = state_of(device)
    assert after == before
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    for key, weight in model.state_dict().items():
        assert torch.equal(weight, weights[key]), key
        assert weight.device.type == device.type
    for measured, value in found.items():
        assert value == pytest.approx(expected[measured], rel=1e-4), measured


# --- memory that runs out -----------------------------------------------------------------------


class Wide(nn.Module):
    """A network whose activations take far more memory than its inputs and weights."""

    def __init__(self, width: int):
        super().__init__()
        # What enters the head is kept of all inputs.
        self.spread, self.head = nn.Linear(8, width), nn.Linear(8, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.spread(inputs)).unflatten(1, (8, -1)).mean(2))


@contextmanager
def little_memory(model: nn.Module, room: int) -> Iterator[None]:
    """Leave room for the activations of about so many inputs at once, and fail beyond it."""
    if next(model.parameters()).device.type == "cpu":

        def refuse(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            if isinstance(module, Wide) and len(arguments[0]) > room:
                raise torch.OutOfMemoryError("out of memory")

        hook = nn.modules.module.register_module_forward_pre_hook(refuse)
        try:
            yield
        finally:
            hook.remove()
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    # An input's activations take as many numbers as there are units, twice.
    wanted = torch.cuda.memory_reserved() + 2 * room * model.spread.out_features * 4 + 2**25
    torch.cuda.set_per_process_memory_fraction(wanted / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("limit", [2**30, 1], ids=["kept", "streamed"])
def test_batches_that_do_not_fit_are_halved_to_the_same_values(limit, device, monkeypatch, capsys):
    monkeypatch.setattr(batches, "_fitting_area", {})
    monkeypatch.setattr(samples, "LARGEST_IN_MEMORY", limit)
    torch.manual_seed(0)
    width = 2**18 if device.type == "cuda" else 2**8
    model, inputs = Wide(width).to(device), torch.randn(1024, 8)
    data = DataLoader(TensorDataset(inputs, torch.arange(1024) % 3), 512)
    few = {"perturbation": {"samples": 2}}
    wanted = ["train_loss", "train_gradient_norm", "sam_sharpness"]
    expected = measure(model, data, measures=wanted, settings=few)
    assert "out of memory" not in capsys.readouterr().out
    with little_memory(model, 200):
        found = measure(model, data, measures=wanted, settings=few)
    assert "inputs at once; from now on" in capsys.readouterr().out
    for name in wanted:
        assert found[name].value == pytest.approx(expected[name].value, rel=1e-4), name


# --- the command --------------------------------------------------------------------------------


def test_the_command_measures_on_a_device_what_it_measures_on_the_cpu(device, tmp_path, capsys):
    spec = NetworkSpec("resnet18", 3, (16, 16), 3, width=1 / 16)
    torch.save({"model": initialise(spec, 3).state_dict()}, tmp_path / "model.pt")
    draws = torch.Generator().manual_seed(0)
    arrays = torch.randint(0, 256, (32, 3, 16, 16), generator=draws, dtype=torch.uint8)
    np.savez(tmp_path / "data.npz", inputs=arrays.numpy(), labels=(torch.arange(32) % 3).numpy())
    words = ["--network", "resnet18", "--option", "width=0.0625", "--data", f"{tmp_path}/data.npz"]
    words += ["--checkpoint", f"{tmp_path}/model.pt", "--measures", "train_loss", "fisher_rao_norm"]
    words += ["hessian_top_eigenvalue", "relative_flatness"]
    documents = []
    for place in (device.type, "cpu"):
        output = tmp_path / f"{place}.json"
        main(["measure", *words, "--device", place, "--output", str(output)])
        documents.append(read_json(output))
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu "
    assert documents[0]["device"].startswith(name)
    there, here = (
        {m["measure"]: m["value"] for f in d["families"] for m in f["measures"]} for d in documents
    )
    assert "hessian_top_eigenvalue" in there
    assert there == pytest.approx(here, rel=1e-3)
    assert "Traceback" not in capsys.readouterr().err
