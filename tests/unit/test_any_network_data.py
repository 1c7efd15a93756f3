"""Data in all forms in which users have them give the numbers of plain tensors, or one line."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from minimascope import measure
from minimascope.data.augment import Augmentation
from minimascope.errors import InputError
from minimascope.sharpness import samples

N = 24
NAMES = ["train_loss", "relative_flatness", "sam_sharpness", "hessian_trace", "asc_sharpness"]
FEW = {"perturbation": {"samples": 4}, "hessian": {"trace_products": 9}, "landscape": {"points": 3}}


def problem() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    return model, torch.randn(N, 4), torch.arange(N) % 3


class ByName(nn.Module):
    """The same network, of an argument with a name and of one that changes nothing."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, *, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.model(values * mask)


class Rows(Dataset):
    def __init__(self, *columns: torch.Tensor):
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, row: int) -> tuple:
        return tuple(column[row] for column in self.columns)


class NamedRows:
    """A data set as those of Hugging Face are: no torch Dataset, but rows that are mappings."""

    def __init__(self, **columns: torch.Tensor):
        self.columns = columns

    def __len__(self) -> int:
        return N

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {name: column[row] for name, column in self.columns.items()}


class Streamed(IterableDataset):
    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor):
        self.inputs, self.labels = inputs, labels

    def __iter__(self) -> Iterator:
        return iter(zip(self.inputs, self.labels, strict=True))


def values(model: nn.Module, *data: Any, **chosen: Any) -> dict[str, float]:
    found = measure(model, *data, measures=NAMES, settings=FEW, **chosen)
    assert all(m.n == N for m in found.values())
    return {name: m.value for name, m in found.items()}


def loader_of(*tensors: torch.Tensor, **chosen: Any) -> DataLoader:
    return DataLoader(TensorDataset(*tensors), batch_size=7, **chosen)


FORMS = {
    "arrays": lambda x, y: (x.numpy(), y.numpy()),
    "float64 arrays": lambda x, y: (x.double().numpy(), y.numpy().astype(np.uint8)),
    "an array backwards": lambda x, y: (x.flip(0).numpy()[::-1], y.tolist()),
    "a read-only array": lambda x, y: (np.frombuffer(x.numpy().tobytes(), "f4").reshape(N, 4), y),
    "labels as a column": lambda x, y: (x, y[:, None]),
    "labels of 16 bits": lambda x, y: (x, y.to(torch.int16)),
    "a loader": lambda x, y: (loader_of(x, y),),
    "a loader and the same labels": lambda x, y: (loader_of(x, y), y),
    "a loader of inputs alone": lambda x, y: (loader_of(x), y),
    "a loader with an array of labels": lambda x, y: (loader_of(x), y.numpy()),
    "a data set": lambda x, y: (Rows(x, y),),
    "a data set in parts": lambda x, y: (Streamed(x, y),),
    "batches in a list": lambda x, y: (list(zip(x.split(5), y.split(5), strict=True)),),
    "batches once": lambda x, y: (iter(list(zip(x.split(5), y.split(5), strict=True))),),
    "mappings of x": lambda x, y: (
        [{"input": x[:9], "label": y[:9]}, {"input": x[9:], "label": y[9:]}],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_gives_the_numbers_of_tensors(form):
    model, inputs, labels = problem()
    assert values(model, *FORMS[form](inputs, labels)) == values(model, inputs, labels)


@pytest.mark.parametrize("key", ["labels", "label", "targets"])
@pytest.mark.parametrize("form", ["mapping", "batches", "rows"])
def test_mappings_are_arguments_by_name(form, key):
    model, inputs, labels = problem()
    columns = {"values": inputs, "mask": torch.ones(N, 1), key: labels}
    given: Any = columns
    if form == "batches":
        given = [
            {name: column[rows] for name, column in columns.items()}
            for rows in (slice(9), slice(9, N))
        ]
    if form == "rows":
        given = NamedRows(**columns)
    expected = values(model, inputs, labels)
    assert values(ByName(model), given) == expected
    del columns[key]
    assert values(ByName(model), columns, labels.numpy()) == expected


def test_tensors_of_inference_mode_can_be_measured():
    model, inputs, labels = problem()
    with torch.inference_mode():
        found = values(problem()[0], inputs * 1, labels * 1)
    assert found == values(model, inputs, labels)


# --- data that do not fit into memory -------------------------------------------------------------


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "LARGEST_IN_MEMORY", 200)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("size", [1, 5, N])
def test_large_data_are_read_again_for_every_pass(size):
    model, inputs, labels = problem()
    read = []

    class Counted(Rows):
        def __getitem__(self, row: int) -> tuple:
            read.append(row)
            return super().__getitem__(row)

    found = values(model, DataLoader(Counted(inputs, labels), batch_size=size))
    assert len(read) > 20 * N
    assert read == list(range(N)) * (len(read) // N)
    expected = values(model, inputs, labels)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("little_memory")
def test_every_family_takes_large_data():
    model, inputs, labels = problem()
    model = nn.Sequential(nn.Flatten(), model).double()
    names = ["forward", "perturbation", "hessian", "landscape"]
    few = FEW | {
        "hessian": {
            "trace_products": 9,
            "density_probes": 0,
            "matrices": ["hessian", "gauss_newton"],
            "dtype": "float64",
        },
        "perturbation": {
            "samples": 4,
            "published_samples": 2,
            "dtype": "float64",
            "adaptive": {"samples": 4, "steps": 2},
        },
        "landscape": {"points": 3, "dtype": "float64"},
    }
    found, expected = (
        measure(model, *data, measures=names, settings=few)
        for data in ((loader_of(inputs, labels),), (inputs, labels))
    )
    assert list(found) == list(expected)
    for name, one in found.items():
        # The published procedure shuffles, and so does a group of samples.
        assert one.value == pytest.approx(expected[name].value, rel=1e-6, abs=1e-9), name


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("kind", ["shuffles", "augments", "grows"])
def test_large_data_that_are_other_ones_in_every_pass_are_refused(kind):
    model, inputs, labels = problem()
    if kind == "shuffles":
        given: Any = loader_of(inputs, labels, shuffle=True)
    elif kind == "augments":

        class Augmented(Rows):
            def __getitem__(self, row: int) -> tuple:
                value, label = super().__getitem__(row)
                return value + random.random(), label

        given = DataLoader(Augmented(inputs, labels), batch_size=7)
    else:

        class Growing:
            passes = 0

            def __iter__(self) -> Iterator:
                self.passes += 1
                return iter([(inputs, labels)] * self.passes)

        given = Growing()
    with pytest.raises(InputError, match=r"other ones in a second pass.*shuffle=False[^\n]*$"):
        values(model, given)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"perturbation": {"adaptive": {"group_size": 5, "samples": 4}}}, "^group_size: "),
        ({"perturbation": {"published": True, "published_share": 0.5}}, "^published_share: 0.5"),
    ],
)
def test_what_needs_single_samples_is_refused_of_large_data(chosen, message):
    model, inputs, labels = problem()
    with pytest.raises(InputError, match=message):
        measure(model, loader_of(inputs, labels), measures="perturbation", settings=chosen)


@pytest.mark.usefixtures("little_memory")
def test_large_data_that_can_be_read_once_only_are_refused():
    model, inputs, labels = problem()
    with pytest.raises(InputError, match="can be gone through only once"):
        values(model, zip(inputs.split(5), labels.split(5), strict=True))


def test_a_small_loader_may_shuffle_and_augment():
    model, inputs, labels = problem()
    found = values(model, loader_of(inputs, labels, shuffle=True))
    assert found == pytest.approx(values(model, inputs, labels), rel=1e-4)


def test_batches_may_be_padded_to_their_longest():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9))
    batches = [(torch.randint(0, 9, (n, length)),) * 2 for n, length in ((3, 5), (4, 2))]
    found = measure(model, batches, measures=["train_loss", "hessian_trace"])
    tokens = torch.cat([inputs.flatten() for inputs, _ in batches])
    expected = nn.functional.cross_entropy(model(tokens), tokens).item()
    assert found["train_loss"].value == pytest.approx(expected, rel=1e-6)
    flat = measure(
        model, tokens[:, None], tokens, measures="hessian_trace", outputs=lambda z: z[:, 0]
    )
    assert found["hessian_trace"].value == pytest.approx(flat["hessian_trace"].value, rel=1e-4)


# --- errors ---------------------------------------------------------------------------------------

BAD: Mapping[str, tuple[Any, str]] = {
    "no labels": (lambda x, y: (x,), "labels: there are none; give labels="),
    "no labels in batches": (lambda x, y: (loader_of(x),), "labels: there are none"),
    "three parts": (lambda x, y: (loader_of(x, x, y),), "a batch has 3 parts"),
    "too few labels": (lambda x, y: (loader_of(x), y[:-1]), "labels"),
    "other labels": (lambda x, y: (loader_of(x, y), (y + 1) % 3), "not those of the data"),
    "words": (lambda x, y: (x, ["cat"] * N), "labels: <U3 instead of numbers"),
    "real labels": (lambda x, y: (x, y + 0.5), "labels are torch.float32; cross_entropy takes"),
    "no data": (lambda x, y: ([],), "no samples"),
    "no mapping": (lambda x, y: ({"labels": y},), "a mapping without inputs"),
    "a number": (lambda x, y: (3, y), "inputs: int are no data"),
    "lists": (lambda x, y: ([(x.tolist(), y)],), "inputs: list instead of a tensor"),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_data_are_refused_in_one_line(kind):
    model, inputs, labels = problem()
    make, message = BAD[kind]
    with pytest.raises(InputError) as caught:
        values(model, *make(inputs, labels))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_augmentation_needs_images():
    model, inputs, labels = problem()
    settings = {"perturbation": {"published": True}}
    chosen = {"measures": "sam_sharpness_published", "augmentation": Augmentation(1)}
    with pytest.raises(InputError, match=r"^augmentation: it needs the inputs as one tensor"):
        measure(
            ByName(model),
            {"values": inputs, "mask": inputs, "labels": labels},
            settings=settings,
            **chosen,
        )
