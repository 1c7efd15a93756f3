"""PANNs' CNN10 and CNN14, and the published weights to start them from.

The builders give the architecture with drawn weights and need no file, so that a saved network can
be built again anywhere. `load_pretrained` puts weights learnt on AudioSet in their place. These
want what they were learnt on: log-mels in decibels that are not normalised (mean 0 and standard
deviation 1 under ``normalize``), with the sample rate, window and hop of their front end.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError
from . import Classifier, panns
from .weights_file import misfit, read_state

RECORD = "https://zenodo.org/records/3987831"
FILES = {
    "cnn10": "Cnn10_mAP=0.380.pth",
    "cnn14": "Cnn14_mAP=0.431.pth or, for 16 kHz, Cnn14_16k_mAP=0.438.pth",
}
# What a file holds besides the body: the front end, in place of which features are prepared, and
# the last layer, which computes logits of AudioSet's classes.
MEL_FILTERS = "logmel_extractor.melW"
NOT_OF_THE_BODY = ("spectrogram_extractor.", "logmel_extractor.", "fc_audioset.")


def _where_weights_fit(architecture: str, channels: int, width: float, **spec: Any) -> Classifier:
    """Return PANNs' network of that name where its weights fit: one channel and full width.

    Raises:
        InputError: a value that these weights do not fit.
    """
    if channels != 1:
        raise InputError(
            f"{architecture}: the inputs have {channels} channels, but AudioSet's weights are for"
            " one; use recordings of one channel or a network that is not pretrained"
        )
    if width != 1:
        raise InputError(
            f"{architecture}: width {width} does not fit AudioSet's weights; set width to 1.0"
        )
    return getattr(panns, architecture)(channels=channels, width=width, **spec)


cnn10 = partial(_where_weights_fit, "cnn10")
cnn14 = partial(_where_weights_fit, "cnn14")


def load_pretrained(network: Classifier, architecture: str, path: Path) -> None:
    """Put the file's weights in place of the network's, except in the head, which stays as drawn.

    Prints what the weights were learnt on, as far as the file says it.

    Args:
        network: what the builder of this architecture returned; unchanged if the file is refused.
        architecture: ``cnn10`` or ``cnn14``.
        path: a checkpoint of PANNs. Nothing in it is executed.

    Raises:
        InputError: a file that is not readable or holds other weights.
    """
    remedy = f"use {FILES[architecture]} of {RECORD}"
    content = read_state(path, remedy=remedy).tensors
    mels = network.body.bn0.num_features
    state = network.body.state_dict()
    names = {_published_name(name): name for name in state}
    weights = {n: v for n, v in content.items() if not n.startswith(NOT_OF_THE_BODY)}
    problem = _other_front_end(content, mels) or misfit(
        weights, {theirs: state[ours] for theirs, ours in names.items()}
    )
    if problem:
        raise InputError(f"{path}: not the weights of {architecture} ({problem}); {remedy}")
    network.body.load_state_dict({names[name]: value for name, value in weights.items()})
    if MEL_FILTERS in content:
        n_fft = 2 * (len(content[MEL_FILTERS]) - 1)
        print(
            f"{path}: learnt on log-mels of {mels} bands with n_fft {n_fft}"
            " (PANNs: 1024 for 32 kHz, 512 for 16 kHz)"
        )


def _other_front_end(content: Mapping[str, Any], mels: int) -> str:
    """Return how the features that the weights were learnt on differ from ours, or nothing."""
    filters = content.get(MEL_FILTERS)
    if filters is None:
        return ""
    if not isinstance(filters, Tensor) or filters.ndim != 2:
        return f"{MEL_FILTERS} is no matrix"
    if filters.shape[1] != mels:
        return f"learnt on {filters.shape[1]} mel bands, the inputs have {mels}"
    return ""


def _published_name(name: str) -> str:
    """Return PANNs' name of one of our weights: our blocks count from 0, theirs from 1."""
    part, _, rest = name.partition(".")
    if part != "blocks":
        return name
    number, _, weight = rest.partition(".")
    return f"conv_block{int(number) + 1}.{weight}"
