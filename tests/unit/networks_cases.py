"""The published networks that ours are held against, and how weights get from one to the other."""

from collections.abc import Sequence

import torch
from torch import nn

PANNS = {"cnn10": (64, 128, 256, 512), "cnn14": (64, 128, 256, 512, 1024, 2048)}


class PublishedBlock(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)


class PublishedPANNs(nn.Module):
    """A network as PANNs' code has it, with the names of its modules.

    Args:
        sizes: channels of the input and of each block; all blocks but a sixth end in a pool.
        mels: mel bands.
        n_fft: of the front end.
        classes: of AudioSet.
    """

    def __init__(self, sizes: Sequence[int], mels: int = 64, n_fft: int = 512, classes: int = 527):
        super().__init__()
        self.logmel_extractor = nn.Module()
        self.logmel_extractor.register_buffer("melW", torch.rand(n_fft // 2 + 1, mels))
        self.spectrogram_extractor = nn.Module()
        self.spectrogram_extractor.stft = nn.Module()
        self.spectrogram_extractor.stft.conv_real = nn.Conv1d(1, 3, 8, bias=False)
        self.bn0 = nn.BatchNorm2d(mels)
        self.blocks = len(sizes) - 1
        for number in range(1, len(sizes)):
            block = PublishedBlock(sizes[number - 1], sizes[number])
            self.add_module(f"conv_block{number}", block)
        self.fc1 = nn.Linear(sizes[-1], sizes[-1])
        self.fc_audioset = nn.Linear(sizes[-1], classes)

    def features(self, log_mels: torch.Tensor) -> torch.Tensor:
        """Return the embedding of log-mels [n, c, frames, mels]."""
        hidden = self.bn0(log_mels.transpose(1, 3)).transpose(1, 3)
        for number in range(1, self.blocks + 1):
            block = self.get_submodule(f"conv_block{number}")
            hidden = torch.relu(block.bn1(block.conv1(hidden)))
            hidden = torch.relu(block.bn2(block.conv2(hidden)))
            hidden = nn.functional.avg_pool2d(hidden, 1 if number == 6 else 2)
        hidden = hidden.mean(3)
        return torch.relu(self.fc1(hidden.max(2).values + hidden.mean(2)))


def randomise(model: nn.Module) -> nn.Module:
    """Move parameters and running statistics away from the zeros and ones they start with."""
    draws = torch.Generator().manual_seed(2)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, dtype=tensor.dtype, generator=draws)
            tensor.add_(0.1 * noise) if "weight" in name else tensor.copy_(0.5 + noise)
        elif "num_batches_tracked" in name:
            tensor.fill_(7)
    return model


def copy_by_order(source: nn.Module, target: nn.Module) -> None:
    """Give a network the weights of one that has the same tensors in the same order."""
    weights = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict(), weights, strict=True)))


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
