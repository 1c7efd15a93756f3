"""What ``minimascope measure`` does once its words are known."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from .. import __version__
from ..adoption import fit_to
from ..data.prepared import Split
from ..devices import default_device, device_name
from ..errors import InputError, nearest
from ..evaluation.class_order import doubt
from ..files import write_json
from ..jobs.progress import BAR, NOTHING, progress_shown
from ..registry import SHARPNESS
from ..sharpness import measure
from ..sharpness.losses import CROSS_ENTROPY, LOSSES
from .data import Data, in_order, read_data
from .network import Network, read_network
from .text import report

# How the network fits its data; always measured.
LOSS, ACCURACY = "train_loss", "train_accuracy"


def run(arguments: Namespace) -> None:
    """Measure as the command says, print a table and write the document.

    Raises:
        InputError: whatever is wrong with the network, the data or the settings.
    """
    device, loss = _device(arguments.device), _loss(arguments.loss)
    shown = sys.stderr.isatty()
    with progress_shown(BAR if shown else NOTHING):
        place = arguments.data, arguments.split, arguments.samples, arguments.image_size
        data = in_order(read_data(*place, arguments.seed), arguments.classes)
        network = read_network(arguments, data)
    families = list(_families(arguments, network, data, loss, device))
    document = {
        "minimascope": __version__,
        "torch": torch.__version__,
        **_subject(arguments, network, data),
        "device": device_name(device),
        "doubt": _doubt(arguments, network, data),
        "families": families,
    }
    write_json(arguments.output, document)
    print(report(document, _asked(arguments.measures)))
    print(f"\nwrote {arguments.output}")


def _subject(arguments: Namespace, network: Network, data: Data) -> dict[str, Any]:
    """Return what was measured, as plain data."""
    return {
        "network": {
            "name": network.name,
            "options": dict(network.options),
            "parameters": network.parameters,
            "weight_layers": network.weight_layers,
        },
        "checkpoint": network.checkpoint,
        "data": {
            "path": arguments.data,
            "split": data.split,
            "found": data.found,
            "shape": list(data.shape),
            "classes": list(data.classes),
            "sha256": data.sha256,
        },
        "normalize": network.normalize,
        "loss": arguments.loss,
        "weight_decay": arguments.weight_decay,
        "seed": arguments.seed,
        "settings": arguments.settings,
    }


def _families(
    arguments: Namespace,
    network: Network,
    data: Data,
    loss: str | Callable,
    device: torch.device,
) -> Iterator[dict[str, Any]]:
    """Yield each family that is asked for with its measures and the seconds that it took."""
    model = network.model.to(device)
    inputs, labels = data.inputs, data.labels
    for family, names in _by_family(arguments.measures, arguments.loss).items():
        start = time.perf_counter()
        found = measure(
            model,
            inputs,
            labels,
            names,
            settings=arguments.settings,
            weight_decay=arguments.weight_decay,
            seed=arguments.seed,
            progress=sys.stderr.isatty(),
        )
        yield {
            "family": family,
            "seconds": time.perf_counter() - start,
            "measures": [asdict(measurement) for measurement in found.values()],
        }


def _doubt(arguments: Namespace, network: Network, data: Data) -> str:
    """Return why the network is to be doubted: what it predicts is no better than guessing."""
    if arguments.loss != CROSS_ENTROPY.name or not data.is_in_memory or data.labels.ndim > 1:
        return ""
    split = Split(data.inputs, data.labels).to(next(network.model.parameters()).device)
    fit = fit_to(network.model, split, len(data.classes), arguments.seed)
    if fit is None:
        return ""
    better = [""] * len(fit.best)
    for output, label in enumerate(fit.best):
        better[output] = data.classes[label]
    return doubt(fit, " ".join(better), "--classes", "--normalize")


def _asked(measures: Sequence[str]) -> list[str]:
    """Return the names of measures that are asked for, those of families written out."""
    names = [SHARPNESS[name].gives if name in SHARPNESS else (name,) for name in measures]
    return list(dict.fromkeys(name for each in names for name in each))


def _by_family(measures: Sequence[str], loss: str) -> dict[str, list[str]]:
    """Return what is asked of each family, and how well the network fits its data."""
    fit = [LOSS, ACCURACY] if loss in LOSSES and LOSSES[loss].classes else [LOSS]
    found = {}
    for family, component in SHARPNESS.items():
        names = [family] if family in measures else []
        names += [name for name in measures if name in component.gives]
        names += fit if family == "forward" else []
        if names:
            found[family] = names
    return found


def _loss(given: str) -> str | Callable:
    if given not in LOSSES:
        raise InputError(f"--loss: unknown name {given!r}; {nearest(given, LOSSES)}")
    return given


def _device(given: str | None) -> torch.device:
    if given is None:
        return default_device()
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise InputError(f"--device {given}: cannot be used ({reason}); use cpu or cuda") from error
    return device
