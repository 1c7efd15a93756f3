"""torchvision's networks with a new head, and weights files, none of which is ever run."""

import hashlib
import os
import pickle
import re

import pytest
import torch
from torch import nn
from torchvision import models

from minimascope.errors import InputError
from minimascope.networks import count_weight_layers, features_and_head
from minimascope.networks import torchvision_pretrained as pretrained
from minimascope.networks.torchvision_pretrained import find_weights, load_pretrained

TINY_IMAGENET = {"channels": 3, "input_size": (64, 64), "classes": 200}


def resnet(classes=5):
    return pretrained.resnet18(channels=3, input_size=(64, 64), classes=classes)


def vgg_on_meta(classes=200):
    with torch.device("meta"):
        return pretrained.vgg19_bn(channels=3, input_size=(64, 64), classes=classes)


def randomise(model: nn.Module) -> nn.Module:
    """Give running statistics, too, values that no network starts with."""
    draws = torch.Generator().manual_seed(2)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.copy_(0.5 + torch.rand(tensor.shape, dtype=tensor.dtype, generator=draws))
        elif "num_batches_tracked" in name:
            tensor.fill_(7)
    return model


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """Stand-in for the network that was trained on ImageNet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return randomise(models.resnet18(weights=None, num_classes=11)).eval()


@pytest.fixture
def checkpoint(trained, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(trained.state_dict(), path)
    return path


# --- architecture ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "parameters", "layers", "features"),
    [("resnet18", 11_279_112, 21, 512), ("vgg19_bn", 140_400_648, 19, 4096)],
)
def test_networks_have_torchvisions_size(architecture, parameters, layers, features):
    with torch.device("meta"):
        model = getattr(pretrained, architecture)(**TINY_IMAGENET)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert count_weight_layers(model) == layers
    assert model.head.weight.shape == (200, features)
    assert features_and_head(model)[1] is model.head


def test_dropout_before_the_head_leaves_torchvisions_own():
    with torch.device("meta"):
        model = pretrained.vgg19_bn(**TINY_IMAGENET, dropout=0.2)
    shares = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert shares == [0.5, 0.5, 0.2]


def test_resnet_logits_are_torchvisions(trained):
    ours = resnet(classes=11)
    ours.body.load_state_dict(trained.state_dict(), strict=False)
    ours.head.load_state_dict(trained.fc.state_dict())
    inputs = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    theirs = models.resnet18(weights=None, num_classes=11)
    theirs.load_state_dict(trained.state_dict())
    with torch.no_grad():
        expected = theirs.double().eval()(inputs)
        torch.testing.assert_close(ours.double().eval()(inputs), expected, rtol=1e-12, atol=1e-12)


def test_vgg_logits_are_torchvisions():
    theirs = models.vgg19_bn(weights=None, num_classes=5, init_weights=False)
    theirs = randomise(theirs).double().eval()
    ours = vgg_on_meta(classes=5).eval()
    last = theirs.classifier[-1].state_dict(prefix="classifier.6.")
    weights = {name: value for name, value in theirs.state_dict().items() if name not in last}
    ours.body.load_state_dict(weights, assign=True)
    ours.head.load_state_dict(theirs.classifier[-1].state_dict(), assign=True)
    with torch.no_grad():
        for size in (32, 64, 96):
            inputs = torch.randn(2, 3, size, size, dtype=torch.float64)
            expected = theirs(inputs)
            assert expected.std() > 0
            torch.testing.assert_close(ours(inputs), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (7, 7), (10, 16), (5, 14)])
def test_the_average_pool_and_its_gradient_are_torchs(shape):
    inputs = torch.randn(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    ours, theirs = pretrained.AveragePool(7)(inputs), nn.AdaptiveAvgPool2d(7)(inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    upstream = torch.randn_like(ours)
    gradients = [torch.autograd.grad(output, inputs, upstream)[0] for output in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("architecture", ["resnet18", "vgg19_bn"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 1}, "the images have 1 channel"),
        ({"width": 0.5}, "set width to 1.0"),
        ({"input_size": (31, 40)}, "input_size 31×40: both sides must be at least 32"),
    ],
)
def test_what_the_weights_do_not_fit_is_refused_in_one_line(architecture, changes, message):
    with pytest.raises(InputError, match=f"{architecture}: .*{message}") as error:
        getattr(pretrained, architecture)(**{**TINY_IMAGENET, **changes})
    assert "\n" not in str(error.value)


# --- weights --------------------------------------------------------------------------------------


def same(left, right) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


def body_weights(trained) -> dict[str, torch.Tensor]:
    return {name: v for name, v in trained.state_dict().items() if not name.startswith("fc.")}


def test_weights_are_loaded_and_the_last_layer_stays_as_drawn(trained, checkpoint):
    network = resnet()
    drawn = {name: value.clone() for name, value in network.head.state_dict().items()}
    load_pretrained(network, "resnet18", checkpoint)
    assert same(network.body.state_dict(), body_weights(trained))
    assert same(network.head.state_dict(), drawn)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_loaded_weights_do_not_hang_on_the_file(trained, checkpoint):
    network = resnet()
    load_pretrained(network, "resnet18", checkpoint)
    checkpoint.write_bytes(bytes(checkpoint.stat().st_size))
    assert same(network.body.state_dict(), body_weights(trained))


def test_weights_of_the_vgg_are_loaded(tmp_path):
    theirs = {}
    for number, (name, tensor) in enumerate(vgg_on_meta().body.state_dict().items()):
        # A number in place of each tensor: the real file would have 0.5 GB.
        value = torch.tensor(number if tensor.dtype == torch.int64 else number / 128)
        theirs[name] = value.expand(tensor.shape)
    theirs["classifier.6.weight"] = torch.tensor(0.5).expand(1000, 4096)
    theirs["classifier.6.bias"] = torch.tensor(0.5).expand(1000)
    torch.save(theirs, tmp_path / "vgg.pth")
    assert (tmp_path / "vgg.pth").stat().st_size < 1e6
    network = vgg_on_meta().to_empty(device="cpu")
    nn.init.constant_(network.head.weight, 3.0)
    load_pretrained(network, "vgg19_bn", tmp_path / "vgg.pth")
    for number, tensor in enumerate(network.body.state_dict().values()):
        assert (tensor == (number if tensor.dtype == torch.int64 else number / 128)).all()
    assert (network.head.weight == 3).all()


def test_old_files_without_counts_of_batches_are_loaded(trained, tmp_path):
    old = {k: v for k, v in trained.state_dict().items() if "num_batches_tracked" not in k}
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    network = resnet()
    load_pretrained(network, "resnet18", tmp_path / "old.pth")
    loaded = network.body.state_dict()
    assert all(torch.equal(loaded[name], v) for name, v in old.items() if not name.startswith("fc"))
    assert not any(v.any() for name, v in loaded.items() if "num_batches_tracked" in name)


def refused(network, path, architecture="resnet18") -> str:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(InputError) as error:
        load_pretrained(network, architecture, path)
    assert same(network.state_dict(), before)
    assert str(error.value).startswith(str(path))
    assert "download https://download.pytorch.org/models/resnet18-f37072fd.pth" in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_that_are_no_checkpoint_are_refused(checkpoint, tmp_path):
    network = resnet()
    assert "No such file" in refused(network, tmp_path / "nothing.pth")
    assert "not a readable file" in refused(network, tmp_path)
    whole = checkpoint.read_bytes()
    for content in (b"", b"x", b"<html>not found</html>\n", whole[:1000], whole[: len(whole) // 2]):
        checkpoint.write_bytes(content)
        assert "not a checkpoint of weights" in refused(network, checkpoint)
    for value in ([1, 2], torch.zeros(3), {1: torch.zeros(3)}):
        torch.save(value, checkpoint)
        assert "not a checkpoint of weights by name" in refused(network, checkpoint)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_code_in_a_file_is_refused_and_does_not_run(trained, tmp_path, kind):
    path, trace = tmp_path / "weights.pth", tmp_path / "executed"
    content = {**trained.state_dict(), "fc.weight": Malicious(trace)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    assert "not a checkpoint of weights" in refused(resnet(), path)
    assert not trace.exists()
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())
    assert trace.exists()  # the file is as bad as the test wants it


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1.weight": None}, r"conv1\.weight is missing"),
        ({"layer5.weight": torch.zeros(1)}, r"layer5\.weight is unknown"),
        ({"conv1.weight": torch.zeros(64, 3, 3, 3)}, r"shape \(64, 3, 3, 3\), not \(64, 3, 7, 7\)"),
        ({"bn1.bias": torch.zeros(64, dtype=torch.int64)}, r"bn1\.bias is torch\.int64"),
        ({"bn1.bias": [0.0] * 64}, r"bn1\.bias is not a plain tensor"),
        ({"bn1.bias": torch.zeros(64).to_sparse()}, r"bn1\.bias is not a plain tensor"),
    ],
)
def test_weights_of_another_network_are_refused(trained, tmp_path, changes, message):
    content = {**trained.state_dict(), **changes}
    content = {name: value for name, value in content.items() if value is not None}
    torch.save(content, tmp_path / "weights.pth")
    error = refused(resnet(), tmp_path / "weights.pth")
    assert re.search(rf"not the weights of resnet18 \(.*{message}", error)


def test_the_checksum_in_a_name_is_checked(checkpoint):
    wrong = checkpoint.with_name("resnet18-f37072fd.pth")
    right_digits = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    right = checkpoint.rename(checkpoint.with_name(f"mine-{right_digits[:8]}.pth"))
    load_pretrained(resnet(), "resnet18", right)
    right.rename(wrong)
    error = refused(resnet(), wrong)
    assert f"SHA-256 starts with {right_digits[:8]}, not with the f37072fd of its name" in error


# --- where the file is ----------------------------------------------------------------------------


def test_the_first_folder_that_has_the_file_is_taken(tmp_path):
    folders = [tmp_path / name for name in ("none", "first", "second")]
    for folder in folders[1:]:
        folder.mkdir()
        (folder / "vgg19_bn-c79401a0.pth").touch()
    assert find_weights("vgg19_bn", folders) == folders[1] / "vgg19_bn-c79401a0.pth"


def test_a_missing_file_is_named_with_its_folders_and_its_address(tmp_path):
    folders = [tmp_path / "data", tmp_path / "checkpoints"]
    with pytest.raises(InputError) as error:
        find_weights("resnet18", folders)
    assert str(error.value) == (
        f"resnet18: no file resnet18-f37072fd.pth in {folders[0]} or {folders[1]}; download"
        " https://download.pytorch.org/models/resnet18-f37072fd.pth into one of them"
    )


def test_the_files_are_torchvisions_own():
    urls = [models.ResNet18_Weights.IMAGENET1K_V1.url, models.VGG19_BN_Weights.IMAGENET1K_V1.url]
    assert [f"{pretrained.ADDRESS}/{p.file}" for p in pretrained.PRETRAINED.values()] == urls


def test_architectures_without_weights_are_refused(checkpoint):
    with pytest.raises(InputError, match="did you mean 'resnet18'"):
        find_weights("resnet81", [])
    with pytest.raises(InputError, match="no ImageNet weights are known"):
        load_pretrained(resnet(), "vit", checkpoint)
