"""Functions of a Python file beside a study stand wherever a component is named."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from study_cases import SCHEMA

from minimascope import optim, own_parts
from minimascope.data.augment import Augmentation, augment
from minimascope.data.own_source import as_dataset
from minimascope.errors import InputError
from minimascope.jobs.code_version import code_version
from minimascope.jobs.estimate import timed
from minimascope.jobs.job import PARTS, job
from minimascope.measurement import Measured, Measurement
from minimascope.networks import NetworkSpec, check_logits, initialise
from minimascope.own_measurements import measured_by_own
from minimascope.registry import find
from minimascope.seeding import generator
from minimascope.study import products
from minimascope.study.loading import load_study
from minimascope.study.moments import own_on_the_way
from minimascope.study.own import own_line
from minimascope.study.sizes import Size, known_size

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "studies" / "own_parts.py"
STUDY = yaml.safe_load(EXAMPLE.with_suffix(".yaml").read_text("utf-8"))
TEXT = EXAMPLE.read_text("utf-8")
SCRIPT = ROOT / "scripts" / "train.py"


def loaded(folder: Path, changes: dict = {}, text: str = TEXT):  # noqa: B006
    """The example with values replaced, by the path of their key; ... removes it."""
    (folder / "own_parts.py").write_text(text, encoding="utf-8")
    study = copy.deepcopy(STUDY)
    for path, value in changes.items():
        *sections, leaf = path.split("/")
        section = study
        for key in sections:
            section = section[key]
        if value is ...:
            del section[leaf]
        else:
            section[leaf] = value
    return load_study(study, SCHEMA, folder)


@pytest.fixture
def used(tmp_path: Path):
    """Write a file of parts that this process uses, and return its path."""
    number = 0

    def write(text: str) -> Path:
        nonlocal number
        number += 1
        path = tmp_path / f"mine{number}.py"
        path.write_text(text, encoding="utf-8")
        own_parts.use(path)
        return path

    yield write
    own_parts.use(None)


def test_options_come_from_signatures_and_are_completed(tmp_path):
    study = loaded(tmp_path)
    assert study.network_spec("small").items() >= {"width": 0.5, "kernel": 5}.items()
    assert study.source_spec("stripes") == {
        "source": "own_parts:stripes",
        "samples": 300,
        "size": 12,
        "noise": study.source_spec("stripes")["noise"],
    }
    assert study.training["stripes", "cutout"]["augment"]["own_parts:cutout"] == {"size": 4}
    assert known_size(study, "stripes") == Size(), "only the source can tell"
    assert study.sharpness["stripes"]["logit_curvature"] == {"batch_size": 1000}
    assert study.families == ["forward", "perturbation", "logit_curvature"]
    assert study.own("figures") == {"ranges": {"measure": "logit_curvature"}}
    assert products.tables(study)["spread"].needs == ("seed_values",)
    assert "ranges" in products.figures(study)
    assert not study.reads_files("stripes")


def test_a_measure_of_ones_own_is_of_weights_on_the_way_where_these_are_measured(tmp_path):
    on = {"training/keep": [0, 1], "sharpness/on": ["kept", "final"]}
    assert own_on_the_way(loaded(tmp_path, on)) == ["logit_curvature"]
    assert own_on_the_way(loaded(tmp_path, {"training/keep": [0, 1]})) == []


def test_reading_a_study_runs_nothing_of_the_file(tmp_path):
    text = f"raise SystemExit('run')\n{TEXT}"
    assert loaded(tmp_path, text=text).parts == tmp_path / "own_parts.py"


def test_a_study_of_others_is_said_to_run_their_code(tmp_path):
    line = own_line(loaded(tmp_path))
    assert "own_parts.py, which is code of whoever wrote the study" in line
    assert "functions used: Lion, cutout, logit_curvature, ranges, small_cnn" in line


ABSENT = "to use cutout of a file own_parts.py, write 'parts: own_parts.py' into the study"
REFUSED = {
    "no file": ({"parts": "other.py"}, TEXT, "parts: no file"),
    "no Python": ({"parts": "own_parts.txt"}, TEXT, "is no Python file; name one that ends in .py"),
    "no parts": ({"parts": ...}, TEXT, ABSENT),
    "syntax": ({}, "X = 1\ndef f(:\n", "own_parts.py, line 2: invalid syntax; correct it"),
    "default": (
        {},
        TEXT.replace("kernel: int = 3", "kernel: int = max(1, 3)"),
        "the default of kernel is not a plain value",
    ),
    "function": (
        {"networks/small/architecture": "own_parts:smal_cnn"},
        TEXT,
        "networks.small.architecture: unknown name 'own_parts:smal_cnn'; did you mean"
        " 'own_parts:small_cnn'?",
    ),
    "no prefix": (
        {"networks/small/architecture": "small_cnn"},
        TEXT,
        "unknown name 'small_cnn'; did you mean 'own_parts:small_cnn'?",
    ),
    "option": (
        {"networks/small/kernal": 3},
        TEXT,
        "networks.small.kernal: not a setting of own_parts:small_cnn; did you mean 'kernel'?",
    ),
    "type": (
        {"networks/small/kernel": "large"},
        TEXT,
        "networks.small.kernel: expected a whole number, got the text 'large'",
    ),
    "option of a measure": (
        {"sharpness/own_parts:logit_curvature": {"batch": 1}},
        TEXT,
        "sharpness.own_parts:logit_curvature.batch: unknown key; did you mean 'batch_size'?",
    ),
    "measure": (
        {"sharpness/own_parts:logit_curvatur": {}},
        TEXT,
        "sharpness.own_parts:logit_curvatur: unknown key; did you mean 'own_parts:logit_curvature'",
    ),
    "option without default": (
        {},
        TEXT.replace("generator, size: int = 4", "generator, size: int, shape: str"),
        "conditions.cutout.augment.own_parts:cutout: 'shape' is missing; add it",
    ),
    "table": (
        {},
        TEXT.replace("def ranges(seed_values", "def ranges(seed_valeus"),
        "figures.own_parts:ranges: the study has no table 'seed_valeus'; did you mean",
    ),
    "name of a table": (
        {"tables": {"own_parts:summary": {}}},
        TEXT.replace("def spread", "def summary"),
        "tables.own_parts:summary: the workflow has a summary itself; rename the function",
    ),
    "width": (
        {},
        TEXT.replace("classes, width, dropout", "classes, dropout"),
        "networks.small.width: own_parts.py:small_cnn has no parameter width; add one, or set",
    ),
    "weight decay": (
        {"training/optimizer": {"name": "own_parts:Lion", "lr": 0.1, "weight_decay": 0.1}},
        TEXT.replace("lr, weight_decay, betas", "lr, betas"),
        "optimizer.weight_decay: own_parts.py:Lion has no parameter weight_decay",
    ),
    "published": (
        {"published": {"parts": "other.py"}, "protocol": "published"},
        TEXT,
        "published.parts: both protocols have one file",
    ),
}


@pytest.mark.parametrize(("changes", "text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_fault_is_one_line_with_its_remedy(tmp_path, changes, text, message):
    with pytest.raises(InputError) as error:
        loaded(tmp_path, changes, text)
    assert message in str(error.value)


def test_how_long_own_parts_take_is_not_tried_before_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.run", None)
    assert timed(loaded(tmp_path)) is None


def test_the_name_of_an_installed_module_is_refused(tmp_path):
    (tmp_path / "torch.py").write_text(TEXT)
    with pytest.raises(InputError, match=r"torch.py: Python has a module torch already; rename"):
        load_study(STUDY | {"parts": "torch.py"}, SCHEMA, tmp_path)


FILE = """
import math
from helper import twice
import unused

STEP = 2

def network(n):
    return Layer(n * STEP)

class Layer:
    def __init__(self, n):
        self.n = twice(n)

def figure(table):
    return math.pi

if __name__ == "__main__":
    print("tried")
"""
FILES = {
    "helper.py": "def twice(n):\n    return 2 * n\n",
    "unused.py": "X = 1\n",
}


def digest(folder: Path, text: str, *components: str, **others: str) -> str:
    folder.mkdir()
    for name, content in {"mine.py": text, **FILES, **others}.items():
        (folder / name).write_text(content)
    return code_version(SCRIPT, *components, parts=folder / "mine.py")


CHANGES = {
    "the function": (FILE.replace("n * STEP", "n + STEP"), {}, True),
    "a value it uses": (FILE.replace("STEP = 2", "STEP = 3"), {}, True),
    "a class it uses": (FILE.replace("twice(n)", "twice(n) + 1"), {}, True),
    "a module it uses": (FILE, {"helper.py": "def twice(n):\n    return n + n\n"}, True),
    "a statement that is always run": (FILE + "\nmath.tau = 6\n", {}, True),
    "another function": (FILE.replace("math.pi", "math.e"), {}, False),
    "a module it does not use": (FILE, {"unused.py": "X = 2\n"}, False),
    "what only a script runs": (FILE.replace("tried", "tested"), {}, False),
    "a comment": (FILE + "# nothing\n", {}, False),
}


@pytest.mark.parametrize(("text", "others", "changed"), CHANGES.values(), ids=CHANGES)
def test_only_what_a_function_depends_on_counts_for_its_jobs(tmp_path, text, others, changed):
    before = digest(tmp_path / "before", FILE, "mine.py:network")
    after = digest(tmp_path / "after", text, "mine.py:network", **others)
    assert (after != before) is changed


def test_jobs_that_use_nothing_of_the_file_have_the_digest_of_studies_without_one(tmp_path):
    components = ("networks.mlp:mlp",)
    assert digest(tmp_path / "mine", FILE, *components) == code_version(SCRIPT, *components)


def end_of(tmp_path: Path, path: Path | None, kind: str, name: str, **given) -> str:
    """The log of a job that calls a function of a file and fails."""
    config = {PARTS: path and str(path)}
    task = SimpleNamespace(log=[str(tmp_path / "job.log")], config=config)
    with pytest.raises(SystemExit), job(task):
        find(kind, name).call(given)
    return (tmp_path / "job.log").read_text()


def test_an_error_in_the_file_is_one_line_with_its_place_and_a_traceback_in_the_log(
    tmp_path, used, capsys
):
    path = used("import torch\n\ndef cut(inputs):\n    return inputs @ torch.ones(3)\n")
    log = end_of(tmp_path, path, "augmentations", "cut", inputs=torch.ones(2))
    said = capsys.readouterr().err
    assert f"{path}, line 4, in cut: RuntimeError: " in said
    assert len(said.splitlines()) == 1
    assert "Traceback" in log
    assert log.endswith(f"{said}")


def test_a_module_that_the_file_lacks_is_told_with_its_line(tmp_path, used, capsys):
    path = used("import not_installed\n\ndef cut(inputs): ...\n")
    end_of(tmp_path, path, "augmentations", "cut")
    assert "line 1, in <module>: ModuleNotFoundError: No module named" in capsys.readouterr().err


def test_modules_beside_the_file_are_found_whatever_they_are_called(tmp_path, used):
    (tmp_path / "plot.py").write_text("def half(n):\n    return n / 2\n")
    path = used("from plot import half\n\ndef cut(inputs):\n    return half(inputs)\n")
    assert find("augmentations", f"{path.stem}:cut").call({"inputs": 4, "generator": 1}) == 2


RETURNED = {
    "network": (
        "def own(classes):\n    return [classes]\n",
        lambda name: initialise(NetworkSpec(name, 1, (8, 8), 10), 0),
        "returned a list; let it return a torch.nn.Module",
    ),
    "optimizer": (
        "class own:\n    def __init__(self, params, lr): ...\n",
        lambda name: optim.build(torch.nn.Linear(1, 1), {"name": name, "lr": 0.1}),
        "returned a own; let it return a torch.optim.Optimizer",
    ),
    "closure": (
        "from torch.optim import LBFGS\n\ndef own(params, lr):\n    return LBFGS(params, lr)\n",
        lambda name: optim.build(torch.nn.Linear(1, 1), {"name": name, "lr": 0.1}),
        "its step needs closure; let it be called without arguments",
    ),
    "augmentation": (
        "def own(inputs, generator):\n    return inputs[:, :, 1:]\n",
        lambda name: augment(torch.ones(2, 1, 4, 4), Augmentation(own={name: {}}), generator(0)),
        "let it return inputs of the same shape and type",
    ),
}


@pytest.mark.parametrize(("text", "call", "message"), RETURNED.values(), ids=RETURNED)
def test_what_a_function_returns_is_checked(used, text, call, message):
    path = used(text)
    with pytest.raises(InputError, match=message) as error:
        call(f"{path.stem}:own")
    assert f"{path.name}:own" in str(error.value)


def test_a_network_of_other_logits_than_classes_is_refused(used):
    path = used(TEXT)
    spec = NetworkSpec(f"{path.stem}:small_cnn", 1, (8, 8), 3, options={"kernel": 3})
    check_logits(initialise(spec, 0), spec)
    with pytest.raises(InputError, match=r"small_cnn: in training it returns \[2, 3\] for two"):
        check_logits(initialise(spec, 0), replace(spec, classes=10))


def test_initial_weights_of_an_own_network_are_those_of_the_seed(used):
    path = used(TEXT)
    spec = NetworkSpec(f"{path.stem}:small_cnn", 1, (8, 8), 3, options={"kernel": 3})
    first, again, other = (initialise(spec, seed).state_dict() for seed in (0, 0, 1))
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["0.weight"].equal(other["0.weight"])


def test_lion_steps_along_the_sign_of_the_running_mean(used):
    path = used(TEXT)
    model = torch.nn.Linear(2, 1, bias=False)
    settings = {"name": f"{path.stem}:Lion", "lr": 0.1, "weight_decay": 0.0, "betas": [0.9, 0.99]}
    optimizer, before = optim.build(model, settings), model.weight.detach().clone()
    for gradient in ([[2.0, -3.0]], [[-0.1, 3.0]]):
        model.weight.grad = torch.tensor(gradient)
        optimizer.step()
    # Means after the first step: 0.02 and -0.03; signs of 0.9 · mean + 0.1 · gradient: +, +.
    assert torch.allclose(model.weight, before - 0.1 * torch.tensor([[1.0 + 1, -1.0 + 1]]))


def test_options_of_augmentations_arrive_and_draws_are_the_generators(used):
    path = used(TEXT)
    given = {"crop_padding": 0, f"{path.stem}:cutout": {"size": 2}, f"{path.stem}:off": None}
    augmentation = Augmentation.from_config(given)
    inputs = torch.zeros(50, 1, 12, 12, dtype=torch.uint8)
    first, again = (augment(inputs, augmentation, generator(0)) for _ in range(2))
    assert first.equal(again)
    assert 1 <= (first == 128).sum((1, 2, 3)).max() <= 9


@pytest.fixture
def measure(used):
    path = used("def curvature(): ...\n")
    return find("sharpness", f"{path.stem}:curvature")


def test_a_measure_returns_a_number_a_measurement_or_several(measure):
    def numbers(result) -> dict:
        found = measured_by_own(measure, result, 7).measurements
        return {m.measure: (m.value, m.unit, m.n) for m in found}

    for one in (0.5, torch.tensor(0.5), np.float32(0.5)):
        assert numbers(one) == {"curvature": (0.5, "1", 7)}
    assert numbers({"mean": 1, "curvature_max": torch.tensor(2.0)}) == {
        "curvature_mean": (1.0, "1", 7),
        "curvature_max": (2.0, "1", 7),
    }
    own = Measurement("curvature", 1.0, "nats", 3)
    for several in (own, {"x": own}, Measured((own,))):
        assert numbers(several) == {"curvature": (1.0, "nats", 3)}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "returned nothing; let it return a number"),
        ("0.5", "returned a str"),
        ([1, 2], "returned a list"),
        (torch.ones(2), "returned a Tensor"),
        (Measurement("train_loss", 1.0, "1", 1), "let the names of its measures begin with"),
        (Measured((), arrays={"x": np.ones(1)}), "arrays, which are not kept"),
    ],
)
def test_other_results_of_a_measure_are_refused(measure, result, message):
    with pytest.raises(InputError, match=message):
        measured_by_own(measure, result, 7)


def test_radii_of_inputs_of_an_own_source_are_in_its_own_units(tmp_path):
    changes = {
        "conditions/robust": {"adversarial": {"radius": 3}},
        "evaluation/adversarial": {"radii": {"linf": [2, 3]}},
    }
    assert "robust" in loaded(tmp_path, changes).conditions


def test_a_source_returns_arrays_or_a_data_set():
    images, labels = np.zeros((4, 6, 5), np.uint8), [0, 1, 2, 0]
    found = as_dataset(((images, labels), (images, labels)), "mine:own")
    assert (found.channels, found.input_size, found.classes) == (1, (6, 5), ("0", "1", "2"))
    assert as_dataset(found, "mine:own") is found
    floating = as_dataset(((images / 2, labels), (images / 2, labels)), "mine:own")
    assert floating.train.inputs.dtype == torch.float32


IMAGES = np.zeros((4, 6, 5), np.uint8)
SPLIT = (IMAGES, [0, 1, 2, 0])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "returned a NoneType"),
        (IMAGES, "returned a ndarray"),
        ((SPLIT, (IMAGES, [0, 1])), "4 inputs and 2 labels"),
        ((SPLIT, (IMAGES, [0, 1, 2, 3])), "labels run from 0 to 3; with 3 classes"),
        ((SPLIT, (IMAGES, [0.0, 1.0, 2.0, 0.0])), "must be numbers of classes"),
        (((IMAGES[0], [0] * 6), (IMAGES[0], [0] * 6)), "inputs have the shape"),
        (((np.full((4, 6, 5), np.nan), [0, 1, 2, 0]), SPLIT), "inputs hold NaN or infinite values"),
    ],
)
def test_what_is_no_data_set_is_refused(result, message):
    with pytest.raises(InputError, match=message) as error:
        as_dataset(result, "mine.py:own")
    assert str(error.value).startswith("mine.py:own")


def test_a_value_that_no_document_can_hold_is_refused(measure):
    for value in (float("nan"), {"mean": float("inf")}, 10**400):
        with pytest.raises(InputError, match=r"returned (nan|inf|a int)[^\n]*let it return"):
            measured_by_own(measure, value, 7)


def test_what_is_no_function_is_refused_when_it_is_needed(tmp_path):
    (tmp_path / "constants.py").write_text("WIDTH = 3\n")
    with pytest.raises(InputError, match="WIDTH is no function; name one"):
        own_parts.load(tmp_path / "constants.py", "WIDTH")
