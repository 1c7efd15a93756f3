"""Networks that begin with published weights, and the files of these, none of which is ever run."""

import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from networks_cases import PANNS, PublishedPANNs, randomise
from study_cases import ROOT_SCHEMA
from torch import nn
from torchvision import models

from minimascope import registry
from minimascope.errors import InputError
from minimascope.networks import Classifier, NetworkSpec, build, panns_pretrained
from minimascope.networks import torchvision_pretrained as imagenet
from minimascope.study.schema import options_of

ADDRESS = "https://download.pytorch.org/models"


@dataclass(frozen=True)
class Published:
    """A published network in small numbers, its last layer, and what a refusal ends with."""

    network: nn.Module
    features: Callable[[torch.Tensor], torch.Tensor]
    last: str
    remedy: str


def network(architecture: str, **changes) -> Classifier:
    """Return the network that begins with weights of an architecture, as yet drawn."""
    shape = {"channels": 1, "input_size": (64, 50)} if "cnn" in architecture else IMAGES
    return build(NetworkSpec(f"pretrained_{architecture}", **{"classes": 5, **shape, **changes}))


ALL = ("resnet18", "vgg19_bn", "cnn10", "cnn14")
IMAGES = {"channels": 3, "input_size": (64, 64)}


def load(given: Classifier, architecture: str, path: Path) -> None:
    registry.LOAD_PRETRAINED[f"pretrained_{architecture}"].load()(given, architecture, path)


@pytest.fixture(scope="module", params=["resnet18", "cnn10"])
def architecture(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def published(architecture) -> Published:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        if architecture == "resnet18":
            resnet = randomise(models.resnet18(weights=None, num_classes=11)).eval()
            body = nn.Sequential(*list(resnet.children())[:-1], nn.Flatten())
            remedy = f"download {ADDRESS}/resnet18-f37072fd.pth again"
            return Published(resnet, body, "fc.", remedy)
        panns = PublishedPANNs((1, *PANNS["cnn10"]))
        with torch.no_grad():
            for _ in range(3):
                panns.bn0.train()(torch.randn(4, 64, 32, 1))
        remedy = "use Cnn10_mAP=0.380.pth of https://zenodo.org/records/3987831"
        return Published(
            panns.eval(), lambda x: panns.features(x.transpose(2, 3)), "fc_audioset.", remedy
        )


def copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


# --- files of weights -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["weights alone", "an entry of the file", "old"])
def test_features_are_those_of_the_published_network(architecture, published, tmp_path, form):
    path, weights = tmp_path / "weights.pth", published.network.state_dict()
    if form == "old":
        weights = {k: v for k, v in weights.items() if "num_batches_tracked" not in k}
    content = {"iteration": 6, "model": weights} if form == "an entry of the file" else weights
    torch.save(content, path, _use_new_zipfile_serialization=form != "old")
    ours = network(architecture).eval()
    drawn = copied(ours.head)
    load(ours, architecture, path)
    path.write_bytes(bytes(path.stat().st_size))  # what was loaded does not hang on the file
    inputs = torch.randn(3, 1 if architecture == "cnn10" else 3, 64, 50)
    with torch.no_grad():
        expected = published.features(inputs)
        assert expected.std() > 0
        torch.testing.assert_close(ours.features(inputs), expected, rtol=1e-5, atol=1e-6)
    assert same(ours.head.state_dict(), drawn)
    assert all(parameter.requires_grad for parameter in ours.parameters())


def refused(
    architecture: str, published: Published, path: Path, remedy: str | None = None, **changes
) -> str:
    ours = network(architecture, **changes)
    before = copied(ours)
    with pytest.raises(InputError) as error:
        load(ours, architecture, path)
    assert same(ours.state_dict(), before)
    message = str(error.value)
    assert message.startswith(str(path))
    assert message.endswith(remedy or published.remedy)
    assert "\n" not in message
    return message


def test_files_that_are_no_checkpoint_are_refused(architecture, published, tmp_path):
    path = tmp_path / "weights.pth"
    for unreadable, reason in ((path, "No such file"), (tmp_path, "Is a directory")):
        message = refused(architecture, published, unreadable, "correct the path")
        assert f"not a readable file ({reason}" in message
    torch.save(published.network.state_dict(), path)
    whole = path.read_bytes()
    for content in (b"", b"<html>not found</html>\n", whole[:1000], whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert "not a checkpoint of weights" in refused(architecture, published, path)
    for value in ([1, 2], torch.zeros(3), {1: torch.zeros(3)}, {"model": {1: torch.zeros(3)}}):
        torch.save(value, path)
        assert "not a checkpoint of weights by name" in refused(architecture, published, path)


class Malicious:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_code_in_a_file_is_named_and_does_not_run(architecture, published, tmp_path, kind):
    path, trace = tmp_path / "weights.pth", tmp_path / "executed"
    content = {**published.network.state_dict(), "sampler": Malicious(trace)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    message = refused(architecture, published, path)
    named = "needs posix.mkdir, but code that a file names is never run"
    assert ("not a checkpoint of weights" if kind == "pickle" else named) in message
    assert not trace.exists()
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())
    assert trace.exists()  # the file is as bad as the test wants it


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "missing: {}"),
        (torch.zeros(64, 2), "misshapen: {} 64×2 for 64"),
        (torch.zeros(64, dtype=torch.int64), "of another type: {} torch.int64"),
        ([0.0] * 64, "no plain tensor: {}"),
        (torch.zeros(64).to_sparse(), "no plain tensor: {}"),
    ],
)
def test_weights_of_another_network_are_refused(architecture, published, tmp_path, change, message):
    name = {"resnet18": "bn1.bias", "cnn10": "conv_block1.bn1.bias"}[architecture]
    content = {**published.network.state_dict(), name: change}
    torch.save({k: v for k, v in content.items() if v is not None}, tmp_path / "weights.pth")
    error = refused(architecture, published, tmp_path / "weights.pth")
    assert f"not the weights of {architecture} ({message.format(name)})" in error


def test_weights_that_the_network_does_not_know_are_refused(architecture, published, tmp_path):
    content = {**published.network.state_dict(), "conv_block5.weight": torch.zeros(1)}
    torch.save(content, tmp_path / "weights.pth")
    error = refused(architecture, published, tmp_path / "weights.pth")
    assert f"not the weights of {architecture} (unexpected: conv_block5.weight)" in error


def numbered(names: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a number in place of each tensor: the real files have up to 0.5 GB."""
    return {
        name: torch.tensor(n if tensor.dtype == torch.int64 else n / 128).expand(tensor.shape)
        for n, (name, tensor) in enumerate(names.items())
    }


@pytest.mark.parametrize("architecture", ["vgg19_bn", "cnn14"], scope="function")
def test_every_weight_of_the_large_networks_finds_its_place(architecture, tmp_path):
    with torch.device("meta"):
        ours = network(architecture)
        if architecture == "cnn14":
            # In the order of ours, whose front end and last layer are elsewhere.
            theirs = PublishedPANNs((1, *PANNS["cnn14"]))
            del theirs.logmel_extractor, theirs.spectrogram_extractor, theirs.fc_audioset
            names = theirs.state_dict()
        else:
            names = ours.body.state_dict()
    weights = numbered(names)
    other = {"vgg19_bn": "classifier.6.weight", "cnn14": "fc_audioset.weight"}[architecture]
    torch.save(weights | {other: torch.zeros(1)}, tmp_path / "large.pth")
    assert (tmp_path / "large.pth").stat().st_size < 1e6
    ours = ours.to_empty(device="cpu")
    nn.init.constant_(ours.head.weight, 3.0)
    load(ours, architecture, tmp_path / "large.pth")
    for tensor, expected in zip(ours.body.state_dict().values(), weights.values(), strict=True):
        assert torch.equal(tensor, expected)
    assert (ours.head.weight == 3).all()


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        (name, changes, message)
        for names, changes, message in (
            (("resnet18", "vgg19_bn"), {"channels": 1}, "the images have 1 channel"),
            (("resnet18", "vgg19_bn"), {"input_size": (31, 40)}, "31×40: both .* least 32"),
            (("cnn10", "cnn14"), {"channels": 2}, "the inputs have 2 channels"),
            (ALL, {"width": 0.5}, "set width to 1.0"),
            (ALL, {"options": {"weights": "a.pth"}}, "unknown name 'weights'"),
        )
        for name in names
    ],
)
def test_what_the_weights_do_not_fit_is_refused_in_one_line(architecture, changes, message):
    with pytest.raises(InputError, match=f"{architecture}: [^\n]*{message}[^\n]*$"):
        network(architecture, **changes)


def test_every_pretrained_network_has_what_loads_and_what_finds_its_weights():
    names = {name for name in registry.NETWORKS if name.startswith(registry.PRETRAINED)}
    assert set(registry.LOAD_PRETRAINED) == names
    for name in names:
        component = registry.NETWORKS[name]
        # A file that is not looked for has to be named.
        weights = options_of(name, ROOT_SCHEMA["$defs"]["network"])["weights"]
        assert (name in registry.FIND_WEIGHTS) == ("default" in weights)
        # So that a change of what loads them counts as a change of the network.
        loader = registry.LOAD_PRETRAINED[name]
        assert loader.location.partition(":")[0] == component.location.partition(":")[0]
        assert callable(registry.LOAD_PRETRAINED[name].load())


# --- of PANNs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_fft", [512, 1024])
def test_the_front_end_of_the_file_is_told(tmp_path, capsys, n_fft):
    torch.save(PublishedPANNs((1, *PANNS["cnn10"]), n_fft=n_fft).state_dict(), tmp_path / "a.pth")
    load(network("cnn10"), "cnn10", tmp_path / "a.pth")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path / 'a.pth'}: learnt on log-mels of 64 bands")
    assert f"n_fft {n_fft}" in line


@pytest.mark.parametrize("architecture", ["cnn10"], scope="module", indirect=True)
@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (torch.zeros(257, 80), "learnt on 80 mel bands, the inputs have 64"),
        (torch.zeros(64), "logmel_extractor.melW is no matrix"),
        (None, "misshapen: bn0.weight 64 for 40, "),
    ],
)
def test_another_front_end_is_refused(architecture, published, tmp_path, filters, message):
    weights = published.network.state_dict() | {panns_pretrained.MEL_FILTERS: filters}
    torch.save({k: v for k, v in weights.items() if v is not None}, tmp_path / "a.pth")
    size = {"input_size": (40 if filters is None else 64, 50)}
    assert message in refused(architecture, published, tmp_path / "a.pth", **size)


# --- of ImageNet ----------------------------------------------------------------------------------


def test_dropout_before_the_head_leaves_torchvisions_own():
    with torch.device("meta"):
        model = network("vgg19_bn", dropout=0.2)
    shares = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert shares == [0.5, 0.5, 0.2]


def test_vgg_features_are_torchvisions():
    theirs = models.vgg19_bn(weights=None, num_classes=5, init_weights=False)
    theirs = randomise(theirs).double().eval()
    with torch.device("meta"):
        ours = network("vgg19_bn").eval()
    theirs.classifier[-1] = nn.Identity()
    ours.body.load_state_dict(theirs.state_dict(), assign=True)
    with torch.no_grad():
        for size in (32, 64, 96):
            inputs = torch.randn(2, 3, size, size, dtype=torch.float64)
            expected = theirs(inputs)
            assert expected.std() > 0
            torch.testing.assert_close(ours.features(inputs), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (7, 7), (10, 16), (5, 14)])
def test_the_average_pool_and_its_gradient_are_torchs(shape):
    inputs = torch.randn(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    ours, theirs = imagenet.AveragePool(7)(inputs), nn.AdaptiveAvgPool2d(7)(inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    upstream = torch.randn_like(ours)
    gradients = [torch.autograd.grad(output, inputs, upstream)[0] for output in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("architecture", ["resnet18"], scope="module", indirect=True)
def test_the_checksum_in_a_name_is_checked(architecture, published, tmp_path):
    wrong = tmp_path / "resnet18-f37072fd.pth"
    torch.save(published.network.state_dict(), wrong)
    digits = hashlib.sha256(wrong.read_bytes()).hexdigest()[:8]
    error = refused(architecture, published, wrong)
    assert f"SHA-256 starts with {digits}, not with the f37072fd of its name" in error
    load(network(architecture), architecture, wrong.rename(tmp_path / f"mine-{digits}.pth"))


def test_the_first_folder_that_has_the_file_is_taken(tmp_path):
    folders = [tmp_path / name for name in ("none", "first", "second")]
    with pytest.raises(InputError) as error:
        imagenet.find_weights("resnet18", folders[:2])
    assert str(error.value) == (
        f"resnet18: no file resnet18-f37072fd.pth in {folders[0]} or {folders[1]}; download"
        f" {ADDRESS}/resnet18-f37072fd.pth into one of them"
    )
    for folder in folders[1:]:
        folder.mkdir()
        (folder / "vgg19_bn-c79401a0.pth").touch()
    assert imagenet.find_weights("vgg19_bn", folders) == folders[1] / "vgg19_bn-c79401a0.pth"


def test_the_files_are_torchvisions_own():
    urls = [models.ResNet18_Weights.IMAGENET1K_V1.url, models.VGG19_BN_Weights.IMAGENET1K_V1.url]
    assert [f"{ADDRESS}/{file}" for file in imagenet.FILES.values()] == urls
