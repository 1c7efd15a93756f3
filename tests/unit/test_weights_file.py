"""Files of weights as trainers write them, and what is said of those that do not fit."""

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import MakesFolder, refused
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from minimascope.networks.weights_file import fitted, prefix_of, read_state


def network(inputs: int = 3, width: int = 5, classes: int = 4) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            body=nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU()),
            head=nn.Linear(width, classes),
        )
    )


@pytest.fixture
def expected() -> dict[str, Tensor]:
    return network().state_dict()


@pytest.fixture
def theirs() -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        state = network().state_dict()
        return {n: torch.randn(v.shape) if v.is_floating_point() else v for n, v in state.items()}


def read(path: Path, expected: dict[str, Tensor], key: str | None = None) -> dict[str, Tensor]:
    return fitted(read_state(path, key).tensors, expected, path)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)


# --- what trainers write --------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "module.model.net."])
@pytest.mark.parametrize("form", ["pt", "old", "safetensors"])
def test_wrapped_weights_are_found_under_the_networks_names(
    tmp_path, expected, theirs, prefix, form
):
    wrapped = {prefix + name: value for name, value in theirs.items()}
    path = tmp_path / ("it.safetensors" if form == "safetensors" else "it.pt")
    if form == "safetensors":
        save_file(wrapped, path)
    else:
        torch.save(wrapped, path, _use_new_zipfile_serialization=form == "pt")
    weights = read(path, expected)
    path.write_bytes(bytes(path.stat().st_size))  # what was loaded does not hang on the file
    assert list(weights) == list(expected)
    assert same(weights, theirs)
    assert prefix_of(wrapped, expected) == prefix


ENTRIES = (
    "state_dict",
    "model",
    "model_state_dict",
    "module",
    "state.model",
    "model.state_dict",
    "generator",
    "ema",
    "state_dict_ema",
)


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_one_entry_with_weights_is_found(tmp_path, expected, theirs, entry):
    content: Any = theirs
    for name in reversed(entry.split(".")):
        content = {"epoch": 3, "best": torch.tensor(0.9), name: content}
    path = saved(tmp_path / "it.pt", content)
    assert read_state(path).key == entry
    assert same(read(path, expected), theirs)


def test_what_else_a_trainer_saves_is_not_read(tmp_path, expected, theirs):
    optimizer = torch.optim.Adam(network().parameters())
    sum(p.sum() for p in optimizer.param_groups[0]["params"]).backward()
    optimizer.step()
    content = {
        "state_dict": theirs,
        "optimizer": optimizer.state_dict(),
        "rng": {"cpu": torch.get_rng_state()},
        "args": argparse.Namespace(lr=0.1),
        "best": np.float64(0.9),
        "order": np.arange(3),
        "root": Path("/"),
    }
    assert same(read(saved(tmp_path / "it.pt", content), expected), theirs)


def test_an_average_is_left_unless_it_is_chosen(tmp_path, expected, theirs):
    average = {name: value + 1 for name, value in theirs.items()}
    path = saved(tmp_path / "it.pt", {"ema": {"module": average}, "model": theirs})
    assert read_state(path).others == ("ema.module",)
    assert same(read(path, expected), theirs)
    assert same(read(path, expected, "ema.module"), average)


def test_of_several_entries_one_has_to_be_chosen(tmp_path, theirs):
    path = saved(tmp_path / "it.pt", {"generator": theirs, "critic": theirs})
    with refused("it.pt: holds weights under generator, critic; choose one with key"):
        read_state(path)
    assert read_state(path, "critic").key == "critic"
    with refused("no weights under 'critics'; entries with weights: generator, critic"):
        read_state(path, "critics")
    with refused("'model'; entries with weights: none, as the weights are all of it"):
        read_state(saved(path, theirs), "model")


def test_averages_of_torch_and_compiled_parts_are_read(tmp_path, expected):
    averaged = AveragedModel(network())
    averaged.module.body = torch.compile(averaged.module.body)
    averaged.module.head = nn.DataParallel(averaged.module.head, device_ids=[])
    state = averaged.state_dict()
    assert {"n_averaged", "module.body._orig_mod.0.weight"} < state.keys()
    weights = read(saved(tmp_path / "it.pt", state), expected)
    assert torch.equal(weights["body.0.weight"], state["module.body._orig_mod.0.weight"])


def test_a_layer_that_has_a_wrappers_name_keeps_it():
    own = nn.ModuleDict(
        {"model": nn.Linear(2, 2), "net": nn.ModuleDict({"module": nn.Linear(2, 2)})}
    )
    state = own.state_dict()
    assert prefix_of(state, state) == ""
    assert same(fitted(state, state, Path("it.pt")), state)
    wrapped = {f"module.{name}": value for name, value in state.items()}
    assert same(fitted(wrapped, state, Path("it.pt")), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_get_the_networks_type(expected, theirs, dtype):
    other = {n: v.to(dtype) if v.is_floating_point() else v.int() for n, v in theirs.items()}
    weights = fitted(other, expected, Path("it.pt"))
    assert {n: v.dtype for n, v in weights.items()} == {n: v.dtype for n, v in expected.items()}
    assert same(weights, {n: v.to(expected[n].dtype) for n, v in other.items()})


def test_counts_of_batches_may_be_missing(expected, theirs):
    state = {name: value for name, value in theirs.items() if "num_batches" not in name}
    assert fitted(state, expected, Path("it.pt"))["body.1.num_batches_tracked"] == 0


def test_weights_are_contiguous_copies(expected, theirs):
    weight = theirs["head.weight"]
    views = theirs | {
        "head.weight": weight.T.contiguous().T,
        "head.bias": torch.ones(1).expand(4).requires_grad_(),
    }
    weights = fitted(views, expected, Path("it.pt"))
    assert torch.equal(weights["head.weight"], weight)
    assert all(w.is_contiguous() and not w.requires_grad for w in weights.values())
    weights["head.bias"][0] = 3
    assert weights["head.bias"].tolist() == [3, 1, 1, 1]


# --- what does not fit ----------------------------------------------------------------------------


def test_everything_that_does_not_fit_is_in_the_line(expected, theirs):
    state = {f"layer{i}.weight": torch.zeros(2) for i in range(5)} | theirs
    del state["body.0.bias"], state["head.bias"]
    state["head.weight"] = torch.zeros(5, 4)
    state["body.1.weight"] = torch.zeros(5).to_sparse()
    state["body.1.bias"] = torch.zeros(5, dtype=torch.int64)
    with refused(
        "it.pt: does not fit the network (missing: body.0.bias, head.bias; unexpected:"
        " layer0.weight, layer1.weight, layer2.weight and 2 more; misshapen: head.weight 5×4 for"
        " 4×5; no plain tensor: body.1.weight; of another type: body.1.bias torch.int64)"
    ):
        fitted(state, expected, Path("it.pt"))


@pytest.mark.parametrize(
    ("other", "hint"),
    [
        (network(classes=7), "it was trained for 7 classes, these data have 4"),
        (network(inputs=2), "it was trained on inputs of another size or number of channels"),
        (network(width=9), "another width of the same architecture"),
        (nn.Linear(3, 4), "no name is the network's: .* begin with body.0.weight"),
        (nn.ModuleDict({"head": nn.Linear(5, 4)}), "another architecture"),
    ],
)
def test_the_likely_cause_is_told(expected, other, hint):
    with refused("it.pt: does not fit the network ("):
        fitted(other.state_dict(), expected, Path("it.pt"))
    with pytest.raises(Exception, match=rf"\); {hint}"):
        fitted(other.state_dict(), expected, Path("it.pt"))


def test_transposed_weights_are_told(expected, theirs):
    theirs["body.0.weight"] = theirs["body.0.weight"].T
    theirs["head.weight"] = theirs["head.weight"].T
    with refused("; these are transposed, as another library may store them"):
        fitted(theirs, expected, Path("it.pt"))


def test_values_beyond_the_networks_type_are_refused(expected, theirs):
    theirs["head.bias"] = torch.full((4,), 1e300, dtype=torch.float64)
    with refused("it.pt: head.bias has values too large for torch.float32"):
        fitted(theirs, expected, Path("it.pt"))


def test_two_weights_never_become_one(expected, theirs):
    twice = {f"module.{n}": v for n, v in theirs.items()} | theirs
    with refused("unexpected: module.body.0.weight"):
        fitted(twice, expected, Path("it.pt"))


# --- hostile files --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["zip", "old"])
def test_code_in_a_file_is_named_and_does_not_run(tmp_path, theirs, form):
    content = theirs | {"sampler": MakesFolder(tmp_path / "ran")}
    torch.save(content, tmp_path / "it.pt", _use_new_zipfile_serialization=form == "zip")
    with refused("it needs posix.mkdir, but code that a file names is never run", "state_dict()"):
        read_state(tmp_path / "it.pt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "it.pt", weights_only=False)
    assert (tmp_path / "ran").exists()  # so it would have run


RAN: list[str] = []


class Speaks:
    """An object whose making, state and items each leave a trace."""

    def __reduce__(self):
        return speak, ("made",), {"state": 1}

    def __setstate__(self, state):
        RAN.append("state")


def speak(word: str) -> Speaks:
    RAN.append(word)
    return Speaks()


def test_objects_beside_the_weights_run_nothing(tmp_path, expected, theirs):
    path = saved(tmp_path / "it.pt", {"model": theirs, "config": [Speaks(), eval]})
    RAN.clear()
    assert same(read(path, expected), theirs)
    assert not RAN
    torch.load(path, weights_only=False)
    assert RAN == ["made", "state"]


def test_a_whole_model_is_refused_with_the_remedy(tmp_path):
    path = saved(tmp_path / "it.pt", network())
    with refused("holds a whole object", "torch.save(model.state_dict(), 'weights.pt')"):
        read_state(path)


def test_files_that_hold_no_weights_are_refused(tmp_path, theirs):
    path = tmp_path / "it.pt"
    with refused("it.pt: not a readable file (No such file"):
        read_state(path)
    with refused("not a readable file"):
        read_state(tmp_path)
    whole = saved(path, theirs).read_bytes()
    for content in (b"", b"<html>", b"version https://git-lfs", whole[:1000], whole[:-200]):
        path.write_bytes(content)
        with refused("it.pt: not a checkpoint of weights"):
            read_state(path)
    endless: dict[str, Any] = {}
    endless["model"] = endless["net"] = endless
    for value in ([1], torch.zeros(3), {1: torch.zeros(3)}, {"lr": 0.1}, {}, endless):
        with refused("it.pt: not a checkpoint of weights by name"):
            read_state(saved(path, value))


def test_broken_safetensors_are_refused_with_a_remedy(tmp_path, theirs):
    path = tmp_path / "it.safetensors"
    with refused("it.safetensors: not a readable file"):
        read_state(path)
    save_file(theirs, path)
    whole = path.read_bytes()
    for content in (b"", whole[:-1], b"\xff" * 100, saved(tmp_path / "a", theirs).read_bytes()):
        path.write_bytes(content)
        with refused("it.safetensors: not a readable safetensors file", "torch.save("):
            read_state(path)


def test_shapes_are_compared_before_anything_is_computed(expected, theirs):
    huge = torch.zeros(1).expand(2**20, 2**20)  # four terabytes, were they written out
    with refused("misshapen: head.weight 1048576×1048576 for 4×5", memory=10):
        fitted(theirs | {"head.weight": huge}, expected, Path("it.pt"))


@pytest.mark.parametrize(
    "strange",
    [torch.zeros(4, device="meta"), torch.zeros(4, dtype=torch.complex64)],
    ids=["without values", "complex"],
)
def test_strange_tensors_are_refused(tmp_path, expected, theirs, strange):
    path = saved(tmp_path / "it.pt", theirs | {"head.bias": strange})
    with refused("head.bias"):
        read(path, expected)


def test_a_name_without_end_is_cut(expected, theirs):
    long = ".".join(["module"] * 100_000)
    with refused("unexpected: module.module"):
        fitted(theirs | {long: torch.zeros(1)}, expected, Path("it.pt"))
    assert prefix_of({long: torch.zeros(1)}, expected) == ""


class Hiding(OrderedDict):
    """Is saved as an OrderedDict with an attribute that hides a method."""

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, (), {"items": 1, "values": 2, "keys": 3}, None, iter(dict.items(self))


def test_attributes_that_hide_methods_change_nothing(tmp_path, expected, theirs):
    path = saved(tmp_path / "hiding.pt", Hiding(theirs))
    assert same(read(path, expected), theirs)


def test_numbers_of_eight_bits_are_converted(expected, theirs):
    eight = {
        name: value.to(torch.float8_e5m2) if value.is_floating_point() else value
        for name, value in theirs.items()
    }
    found = fitted(eight, expected, Path("model.safetensors"))
    assert same(found, {name: value.to(expected[name].dtype) for name, value in eight.items()})


def test_a_nested_tensor_is_refused(expected, theirs):
    name = next(iter(theirs))
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    with refused("no plain tensor"):
        fitted({**theirs, name: nested}, expected, Path("model.pt"))
