"""The command ``minimascope measure``: any network on any data, from the command line."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from minimascope.command import main
from minimascope.data.prepared import Dataset, Split, save_dataset
from minimascope.files import read_json
from minimascope.models import save_model
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.sharpness import measure

MEASURES = ["fisher_rao_norm", "squared_weight_norm", "train_loss", "train_accuracy"]
SIDE, CLASSES = 6, ("cat", "dog", "fox")
OWN = """
import torch
from torch import nn

def build(channels, classes, hidden=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(36 * channels, hidden), nn.ReLU(),
                         nn.Linear(hidden, classes))

def pair():
    draws = torch.Generator().manual_seed(0)
    return torch.rand(12, 1, 6, 6, generator=draws), torch.arange(12) % 3

def loader():
    return [pair()]

def tripled(outputs, labels):
    return 3 * nn.functional.cross_entropy(outputs, labels, reduction="none")

nothing = 1
"""


@pytest.fixture(scope="module")
def network() -> nn.Module:
    spec = NetworkSpec("mlp", 3, (SIDE, SIDE), 3, options={"hidden_layers": 1})
    return initialise(spec, 1).eval()


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (24, 3, SIDE, SIDE), generator=draws, dtype=torch.uint8)


@pytest.fixture(scope="module")
def labels(network, pixels) -> torch.Tensor:
    """Ten of the network's own predictions, the rest in turn."""
    with torch.no_grad():
        own = NormalisedInput(network, [0.4], [0.2]).eval()(pixels).argmax(1)
    return torch.where(torch.arange(24) < 10, own, torch.arange(24) % 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network, pixels, labels) -> Path:
    """A folder with everything in the forms that the command reads."""
    root = tmp_path_factory.mktemp("command")
    (root / "own.py").write_text(OWN)
    for row, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        for place in (f"pictures/train/{CLASSES[label]}", f"plain/{CLASSES[label]}"):
            path = root / place / f"{row:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    for label in CLASSES:
        (root / "pictures/test" / label).mkdir(parents=True)
        Image.new("RGB", (SIDE, SIDE)).save(root / "pictures/test" / label / "0.png")
    (root / "empty").mkdir()
    shutil.make_archive(str(root / "packed"), "zip", root, "plain")
    arrays = {"inputs": pixels.numpy(), "labels": labels.numpy()}
    np.savez(root / "data.npz", **arrays)
    np.savez(root / "parts.npz", **{f"train_{name}": array for name, array in arrays.items()})
    split = Split(pixels, labels)
    save_dataset(root / "prepared.safetensors", Dataset(split, split, CLASSES))
    state = {f"module._orig_mod.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, root / "model.pt")
    normalize = {"mean": [0.4], "std": [0.2]}
    spec = NetworkSpec("mlp", 3, (SIDE, SIDE), 3, options={"hidden_layers": 1})
    save_model(root / "model.safetensors", NormalisedInput(network, **normalize), spec, normalize)
    return root


@pytest.mark.parametrize(
    ("words", "loss"), [([], "squared_error"), (["--loss", "cross_entropy"], "cross_entropy")]
)
def test_the_loss_is_that_of_the_training_unless_it_is_named(
    command, folder, tmp_path, network, pixels, labels, words, loss
):
    path = tmp_path / "model.safetensors"
    spec = NetworkSpec("mlp", 3, (SIDE, SIDE), 3, options={"hidden_layers": 1})
    normalize = {"mean": [0.4], "std": [0.2]}
    model = NormalisedInput(network, **normalize).eval()
    save_model(path, model, spec, normalize, training={"loss": "squared_error"})
    _, document = command("--checkpoint", str(path), "--measures", "train_loss", *words)
    assert document["loss"] == loss
    expected = measure(model, pixels, labels, ["train_loss"], loss=loss)["train_loss"].value
    assert values(document)["train_loss"] == pytest.approx(expected)


NAMED = ["--network", "mlp", "--option", "hidden_layers=1", "--checkpoint", "model.pt"]
USUAL = [*NAMED, "--normalize", "0.4", "0.2"]


@pytest.fixture
def command(folder, tmp_path, monkeypatch, capsys):
    """Runs the command in the folder and returns what it prints and the document it writes."""

    def run(*words: str, data: str = "pictures") -> tuple[str, dict]:
        monkeypatch.chdir(folder)
        output = tmp_path / "out.json"
        main(["measure", "--data", data, "--device", "cpu", "--output", str(output), *words])
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out, read_json(output)

    return run


def values(document: dict) -> dict[str, float]:
    return {m["measure"]: m["value"] for f in document["families"] for m in f["measures"]}


def asked_for(document: dict) -> dict[str, float]:
    return {name: value for name, value in values(document).items() if name in MEASURES}


@pytest.fixture(scope="module")
def expected(network, pixels, labels) -> dict[str, float]:
    model = NormalisedInput(network, [0.4], [0.2]).eval()
    return {name: m.value for name, m in measure(model, pixels, labels, MEASURES).items()}


@pytest.mark.parametrize(
    "data",
    ["pictures", "plain", "packed.zip", "data.npz", "parts.npz", "prepared.safetensors"],
)
def test_values_are_those_of_the_call_whatever_the_data_lie_in(command, expected, data):
    _, document = command(*USUAL, "--measures", *MEASURES, data=data)
    assert asked_for(document) == pytest.approx(expected, rel=1e-5)


def test_a_network_of_this_project_needs_no_name_and_no_normalisation(command, expected):
    out, document = command("--checkpoint", "model.safetensors", "--measures", *MEASURES)
    assert asked_for(document) == pytest.approx(expected, rel=1e-5)
    assert document["network"]["name"] == "mlp"
    assert document["normalize"] == {"mean": [0.4], "std": [0.2]}
    assert "mean 0.4, standard deviation 0.2" in out


def test_the_table_has_what_is_asked_for_in_that_order_with_errors_and_times(command):
    few = ["--set", "perturbation.samples=3", "landscape.points=3", "landscape.line_points=0"]
    names = ["asc_sharpness", "sam_sharpness", "fisher_rao_norm"]
    out, document = command(*USUAL, *few, "--measures", *names)
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows if row and row[0] in names] == names
    found = {m["measure"]: m for f in document["families"] for m in f["measures"]}
    assert found["sam_sharpness"]["standard_error"] > 0
    assert found["sam_sharpness"]["noise_floor"] is not None
    assert document["settings"] == {
        "perturbation": {"samples": 3},
        "landscape": {"points": 3, "line_points": 0},
    }
    assert re.search(r"seconds: forward [\d.]+, perturbation [\d.]+, landscape [\d.]+", out)


def test_the_head_says_what_was_measured(command, network):
    out, document = command(*USUAL, "--measures", "train_loss")
    parameters = sum(p.numel() for p in network.parameters())
    settings = "mlp, width 1.0, hidden_layers 1, activation relu"
    assert f"{settings}: {parameters:,} parameters in 2 layers" in out
    assert "checkpoint     model.pt (state_dict)" in out
    assert "data           pictures: 24 samples of train, 3 × 6 × 6, 3 classes" in out
    assert document["checkpoint"]["prefix"] == "module._orig_mod."


def test_a_family_stands_for_all_of_its_measures(command):
    out, document = command(*USUAL, "--measures", "forward")
    assert {"fisher_rao_norm", "train_gradient_norm"} <= values(document).keys()
    assert len(document["families"]) == 1
    for name in values(document):
        assert f"\n{name} " in out


def test_two_calls_give_the_same_values(command):
    words = [*USUAL, "--measures", "sam_sharpness", "--set", "perturbation.samples=3"]
    assert values(command(*words)[1]) == values(command(*words)[1])
    assert values(command(*words)[1]) != values(command(*words, "--seed", "1")[1])


@pytest.mark.parametrize("data", ["pictures", "packed.zip", "data.npz", "prepared.safetensors"])
def test_a_part_of_the_data_is_drawn_by_the_seed(command, data):
    words = [*USUAL, "--measures", "train_loss", "--samples", "7"]
    out, document = command(*words, data=data)
    loss = document["families"][0]["measures"][0]
    assert (loss["n"], document["data"]["found"]) == (7, 24)
    assert "7 of 24 samples" in out
    assert command(*words, data=data)[1]["data"] == document["data"]
    others = command(*words, "--seed", "1", data=data)[1]["data"]
    assert others["sha256"] != document["data"]["sha256"]
    assert command(*USUAL, "--samples", "99", data=data)[1]["data"]["found"] == 24


def test_one_sample_is_in_the_singular(command, tmp_path):
    data = tmp_path / "one.npz"
    np.savez(data, inputs=np.zeros((1, 3, 6, 6), np.uint8), labels=[0])
    words = ["--network", "mlp", "--loss", "binary_cross_entropy", "--measures", "train_loss"]
    out, _ = command(*words, data=str(data))
    assert f"{data}: 1 sample, 3 × 6 × 6, 1 class\n" in out


def test_the_test_data_are_used_where_they_are_asked_for(command):
    out, document = command(*USUAL, "--split", "test", "--measures", "train_loss")
    assert document["data"]["found"] == 3
    assert "note: these are the test data" in out


def test_pictures_are_resized(command):
    (out, document) = command("--network", "mlp", "--image-size", "4", "--measures", "train_loss")
    assert document["data"]["shape"] == [3, 4, 4]
    assert "none: weights as they are built, with seed 0" in out
    assert "mean 0.5, standard deviation 0.5" in out


def test_outputs_in_another_order_of_classes(command, folder, network, expected):
    order = [2, 0, 1]
    names = [CLASSES[i] for i in order]
    state = {
        name: value[order] if name.startswith("head") else value
        for name, value in network.state_dict().items()
    }
    torch.save(state, folder / "reversed.pt")
    words = [*USUAL[:4], "--checkpoint", "reversed.pt", *USUAL[-3:], "--measures", *MEASURES]
    _, document = command(*words, "--classes", *names)
    assert asked_for(document) == pytest.approx(expected, rel=1e-5)
    assert document["data"]["classes"] == names
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    assert (
        command(*words, "--classes", "classes.txt")[1]["families"][0]["measures"]
        == (document["families"][0]["measures"])
    )


def test_a_network_that_knows_more_classes_than_the_data_have(command):
    words = ["--network", "mlp", "--measures", "train_loss", "--classes", "ant", *CLASSES]
    _, document = command(*words)
    assert document["data"]["classes"] == ["ant", *CLASSES]
    assert (
        document["network"]["parameters"] == 100 * (3 * SIDE * SIDE + 1) * 1 + 100 * 101 + 4 * 101
    )


@pytest.fixture(scope="module")
def many(folder, network) -> Path:
    """Six hundred pictures that the network classifies as it should, and its checkpoints."""
    draws = torch.Generator().manual_seed(1)
    inputs = torch.randint(0, 256, (600, 3, SIDE, SIDE), generator=draws, dtype=torch.uint8)
    with torch.no_grad():
        logits = NormalisedInput(network, [0.5], [0.5]).eval()(inputs)
    labels = (logits - logits.median(0).values).argmax(1)
    with torch.no_grad():
        state = network.state_dict()
        state["head.bias"] = state["head.bias"] - logits.median(0).values
    torch.save(
        {name: v[[1, 2, 0]] if "head" in name else v for name, v in state.items()},
        folder / "moved.pt",
    )
    np.savez(folder / "many.npz", inputs=inputs.numpy(), labels=labels.numpy())
    shuffled = labels[torch.randperm(600, generator=draws)]
    np.savez(folder / "shuffled.npz", inputs=inputs.numpy(), labels=shuffled.numpy())
    return folder


def test_a_network_at_chance_is_noted_with_the_likely_causes(command, many):
    words = ["--network", "mlp", "--option", "hidden_layers=1", "--measures", "train_loss"]
    out, document = command(*words, "--checkpoint", "moved.pt", data="shuffled.npz")
    assert "no better than guessing" in out
    assert "order of classes (--classes)" in out
    assert "normalisation (--normalize)" in out
    assert document["doubt"] in out
    out, _ = command(*words, "--checkpoint", "moved.pt", data="many.npz")
    assert "note: training accuracy is" in out
    assert "and 100.0% with --classes set to 1 2 0; if the training reached" in out
    out, _ = command(
        *words, "--checkpoint", "moved.pt", "--classes", "1", "2", "0", data="many.npz"
    )
    assert "note:" not in out
    assert "accuracy 100.0 %" in out


def test_functions_of_the_user_give_network_and_data(command):
    plain = ["--network", "own.py:build", "--option", "hidden=5", "--measures", "train_loss"]
    _, document = command(*plain, data="own.py:pair")
    assert document["network"]["options"] == {"channels": 1, "classes": 3, "hidden": 5}
    assert document["network"]["parameters"] == 5 * 37 + 3 * 6
    assert document["normalize"] is None
    assert document["data"]["shape"] == [1, SIDE, SIDE]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_figure_of_the_loss_is_drawn_where_it_is_asked_for(command, tmp_path, suffix):
    path = tmp_path / f"landscape.{suffix}"
    few = ["--set", "landscape.points=3", "landscape.direction_seeds=[1]"]
    out, document = command(*USUAL, *few, "--measures", "train_loss", "--figure", str(path))
    assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    assert f"wrote {path}" in out
    assert "asc_sharpness" not in out
    assert "asc_sharpness" in values(document)


def test_a_loss_of_the_users_is_measured_and_what_needs_a_softmax_is_left_out(command):
    plain = ["--network", "own.py:build"]
    loss = values(command(*plain, "--measures", "train_loss", data="own.py:pair")[1])["train_loss"]
    few = ["--loss", "own.py:tripled", "--set", "perturbation.samples=3"]
    out, document = command(*plain, *few, data="own.py:pair")
    assert values(document)["train_loss"] == pytest.approx(3 * loss)
    assert "note: without relative_flatness: the loss tripled is not that of a softmax" in out


MLP = ["--network", "mlp"]


@pytest.mark.parametrize(
    ("words", "data", "message"),
    [
        (MLP, "nowhere", "nowhere: no such file or folder; correct --data"),
        (MLP, "own.py", "own.py: no data; give a folder"),
        (MLP, "model.pt", "model.pt: no data; give a folder"),
        (MLP, "empty", "empty: no folder with one folder of pictures for each class"),
        ([*MLP, "--split", "test"], "plain", "plain: has no train/ and test/; leave --split out"),
        ([*MLP, "--split", "test"], "data.npz", "has no parts for --split"),
        ([*MLP, "--split", "test"], "parts.npz", "it must have inputs and labels"),
        ([*MLP, "--image-size", "4"], "data.npz", "--image-size: is for folders and archives"),
        (["--network", "mpl"], "data.npz", "--network.architecture: unknown name 'mpl'; did you"),
        ([*MLP, "--option", "layers=1"], "data.npz", "--network.layers: not a setting of mlp"),
        (NAMED[:2] + NAMED[4:], "data.npz", "does not fit the network"),
        ([*NAMED, "--key", "ema"], "data.npz", "no weights under 'ema'"),
        (["--checkpoint", "model.pt"], "data.npz", "name that with --network, such as"),
        ([*MLP, "--checkpoint", "gone.pt"], "data.npz", "gone.pt: not a readable file"),
        (["--checkpoint", "gone.safetensors"], "data.npz", "gone.safetensors: not a readable"),
        (
            ["--checkpoint", "model.safetensors", "--normalize", "0", "1"],
            "data.npz",
            "--normalize: model.safetensors has its own; leave it out",
        ),
        ([*MLP, "--normalize", "1,2", "1"], "data.npz", "--normalize.mean: 2 values for 3 channel"),
        ([*MLP, "--normalize", "0", "0"], "data.npz", "standard deviation must be above 0"),
        ([*MLP, "--classes", "cat", "dog"], "pictures", "--classes: lacks 'fox' of the data"),
        ([*MLP, "--classes", *CLASSES, "cat"], "pictures", "--classes: names 'cat' twice"),
        ([*MLP, "--loss", "mae"], "data.npz", "--loss: unknown name 'mae'"),
        ([*MLP, "--device", "gpu"], "data.npz", "--device gpu: cannot be used"),
        ([*MLP, "--set", "hessian.probe=1"], "data.npz", "settings.hessian.probe: unknown key"),
        (["--network", "own.py:bild"], "data.npz", "own.py has no bild; did you mean 'build'?"),
        (["--network", "gone.py:build"], "data.npz", "--network: no file gone.py"),
        (["--network", "own.py:pair"], "data.npz", "own.py:pair returned no torch.nn.Module"),
        (
            ["--network", "own.py:build", "--option", "depth=1"],
            "data.npz",
            "--option depth: own.py:build has no such parameter",
        ),
        ([*MLP, "--samples", "1"], "own.py:loader", "--samples: leave it out"),
        (
            [*MLP, "--normalize", "0", "1", "--measures", "test_jacobian_norm"],
            "parts.npz",
            "test_jacobian_norm: only a study has test data beside the training data (measure them",
        ),
        (MLP, "own.py:loader", "mlp needs to know the shape of its inputs"),
    ],
)
def test_a_mistake_is_told_in_one_line(folder, words, data, message, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(["measure", "--data", data, "--output", "never.json", *words])
    told = str(ended.value.code)
    assert told.startswith("error: ")
    assert message in told
    assert "\n" not in told
    assert capsys.readouterr().out == ""
    assert not Path("never.json").exists()
