"""Checkpoints of PANNs, made here as the published ones are; none of them is ever run."""

import os

import numpy as np
import pytest
import torch
from study_cases import ROOT_SCHEMA
from torch import nn

from minimascope import registry
from minimascope.errors import InputError
from minimascope.networks import panns_pretrained as pretrained
from minimascope.networks.panns_pretrained import load_pretrained
from minimascope.study.schema import options_of

MELS = 64


def build(architecture="cnn10", mels=MELS, classes=5, **changes):
    arguments = {"channels": 1, "input_size": (mels, 101), "classes": classes, **changes}
    return getattr(pretrained, architecture)(**arguments)


class PublishedBlock(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.bn2 = nn.BatchNorm2d(after)


class Published(nn.Module):
    """The published CNN10: its modules in its order and under its names."""

    def __init__(self, n_fft=512, mels=MELS):
        super().__init__()
        self.logmel_extractor = nn.Module()
        self.logmel_extractor.register_buffer("melW", torch.rand(n_fft // 2 + 1, mels))
        self.spectrogram_extractor = nn.Module()
        self.spectrogram_extractor.stft = nn.Module()
        self.spectrogram_extractor.stft.conv_real = nn.Conv1d(1, 3, 8, bias=False)
        self.bn0 = nn.BatchNorm2d(mels)
        for block, (before, after) in enumerate([(1, 64), (64, 128), (128, 256), (256, 512)], 1):
            self.add_module(f"conv_block{block}", PublishedBlock(before, after))
        self.fc1 = nn.Linear(512, 512)
        self.fc_audioset = nn.Linear(512, 527)

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        """Return the embedding of log-mels [n, 1, frames, mels]."""
        hidden = self.bn0(log_mels.transpose(1, 3)).transpose(1, 3)
        for number in range(1, 5):
            block = self.get_submodule(f"conv_block{number}")
            hidden = torch.relu(block.bn1(block.conv1(hidden)))
            hidden = torch.relu(block.bn2(block.conv2(hidden)))
            hidden = nn.functional.avg_pool2d(hidden, (2, 2))
        hidden = hidden.mean(3)
        return torch.relu(self.fc1(hidden.max(2).values + hidden.mean(2)))


@pytest.fixture(scope="module")
def published() -> Published:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Published()
        with torch.no_grad():
            for _ in range(3):
                model.train()(torch.randn(4, 1, 32, MELS))
        return model.eval()


@pytest.fixture
def checkpoint(published, tmp_path):
    path = tmp_path / "Cnn10.pth"
    torch.save({"iteration": 600_000, "model": published.state_dict()}, path)
    return path


def same(left, right) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


def copied(module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("form", ["published", "weights alone", "old"])
def test_features_are_those_of_the_published_network(published, tmp_path, form):
    weights = published.state_dict()
    if form == "old":
        weights = {k: v for k, v in weights.items() if "num_batches_tracked" not in k}
    content = weights if form == "weights alone" else {"model": weights}
    torch.save(content, tmp_path / "Cnn10.pth", _use_new_zipfile_serialization=form != "old")
    network = build().eval()
    drawn = copied(network.head)
    load_pretrained(network, "cnn10", tmp_path / "Cnn10.pth")
    log_mels = torch.randn(3, 1, MELS, 50)
    with torch.no_grad():
        expected = published(log_mels.transpose(2, 3))
        assert expected.std() > 0
        torch.testing.assert_close(network.features(log_mels), expected, rtol=1e-5, atol=1e-6)
    assert same(network.head.state_dict(), drawn)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_block_of_cnn14_has_its_published_name(tmp_path):
    with torch.device("meta"):
        network = build("cnn14")
    names = [
        f"conv_block{block}.{layer}"
        for block in range(1, 7)
        for layer in ("conv1", "conv2", "bn1", "bn2")
    ]
    shapes = {f"body.blocks.{int(name[10]) - 1}.{name[12:]}": name for name in names}
    weights, numbers = {}, {}
    for number, (name, tensor) in enumerate(network.body.state_dict().items()):
        module, _, weight = f"body.{name}".rpartition(".")
        # A number in place of each tensor: the real file has 0.3 GB.
        value = torch.tensor(number if tensor.dtype == torch.int64 else number / 128)
        weights[f"{shapes.get(module, module[5:])}.{weight}"] = value.expand(tensor.shape)
        numbers[name] = value
    assert sum(name.startswith("conv_block6.") for name in weights) == 12
    torch.save({"model": weights}, tmp_path / "Cnn14.pth")
    network = network.to_empty(device="cpu")
    load_pretrained(network, "cnn14", tmp_path / "Cnn14.pth")
    for name, tensor in network.body.state_dict().items():
        assert (tensor == numbers[name]).all(), name


@pytest.mark.parametrize("n_fft", [512, 1024])
def test_the_front_end_of_the_file_is_told(published, tmp_path, capsys, n_fft):
    weights = published.state_dict() | {pretrained.MEL_FILTERS: torch.zeros(n_fft // 2 + 1, MELS)}
    torch.save({"model": weights}, tmp_path / "Cnn10.pth")
    load_pretrained(build(), "cnn10", tmp_path / "Cnn10.pth")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path / 'Cnn10.pth'}: learnt on log-mels of 64 bands")
    assert f"n_fft {n_fft}" in line


def refused(network, path) -> str:
    before = copied(network)
    with pytest.raises(InputError) as error:
        load_pretrained(network, "cnn10", path)
    assert same(network.state_dict(), before)
    assert str(error.value).startswith(str(path))
    assert str(error.value).endswith(
        "use Cnn10_mAP=0.380.pth of https://zenodo.org/records/3987831"
    )
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv_block2.conv1.weight": None}, "conv_block2.conv1.weight is missing"),
        ({"conv_block5.conv1.weight": torch.zeros(1)}, "conv_block5.conv1.weight is unknown"),
        ({"fc1.weight": torch.zeros(512, 2)}, "fc1.weight has shape (512, 2), not (512, 512)"),
        ({"fc1.bias": torch.zeros(512, dtype=torch.int64)}, "fc1.bias is torch.int64"),
        (
            {"logmel_extractor.melW": torch.zeros(257, 80)},
            "learnt on 80 mel bands, the inputs have",
        ),
        ({"logmel_extractor.melW": torch.zeros(64)}, "logmel_extractor.melW is no matrix"),
    ],
)
def test_weights_of_another_network_are_refused(published, tmp_path, changes, message):
    weights = {k: v for k, v in {**published.state_dict(), **changes}.items() if v is not None}
    torch.save({"model": weights}, tmp_path / "Cnn10.pth")
    error = refused(build(), tmp_path / "Cnn10.pth")
    assert f"not the weights of cnn10 ({message}" in error


def test_inputs_with_other_mel_bands_are_refused_without_filters_too(published, tmp_path):
    weights = published.state_dict()
    del weights[pretrained.MEL_FILTERS]
    torch.save({"model": weights}, tmp_path / "Cnn10.pth")
    assert "bn0.weight has shape (64,), not (40,)" in refused(
        build(mels=40), tmp_path / "Cnn10.pth"
    )


def test_files_that_are_no_checkpoint_are_refused(checkpoint, tmp_path):
    network = build()
    assert "No such file" in refused(network, tmp_path / "nothing.pth")
    assert "not a readable file" in refused(network, tmp_path)
    whole = checkpoint.read_bytes()
    for content in (b"", b"<html>not found</html>\n", whole[:1000], whole[: len(whole) // 2]):
        checkpoint.write_bytes(content)
        assert "not a checkpoint of weights" in refused(network, checkpoint)
    for value in ([1, 2], torch.zeros(3), {"model": {1: torch.zeros(3)}}):
        torch.save(value, checkpoint)
        assert "not a checkpoint of weights by name" in refused(network, checkpoint)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_named_and_does_not_run(published, tmp_path, zipped):
    path, trace = tmp_path / "weights.pth", tmp_path / "executed"
    content = {"model": published.state_dict(), "sampler": Malicious(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert "needs posix.mkdir, but code that a file names is never run" in refused(build(), path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # the file is as bad as the test wants it


def test_a_sampler_of_numpy_arrays_is_named(published, tmp_path):
    content = {"model": published.state_dict(), "sampler": {"indexes": np.arange(3)}}
    torch.save(content, tmp_path / "mine.pth")
    assert "it needs numpy" in refused(build(), tmp_path / "mine.pth")


@pytest.mark.parametrize("architecture", ["cnn10", "cnn14"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [({"channels": 2}, "the inputs have 2 channels"), ({"width": 0.5}, "set width to 1.0")],
)
def test_what_the_weights_do_not_fit_is_refused_in_one_line(architecture, changes, message):
    with pytest.raises(InputError, match=f"{architecture}: .*{message}") as error:
        build(architecture, **changes)
    assert "\n" not in str(error.value)


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
