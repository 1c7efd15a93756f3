"""What ``minimascope measure`` does once its words are known."""

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
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
from ..measurement import document
from ..registry import SHARPNESS
from ..sharpness.any_network import OfFamily, measure_families, names_of
from ..sharpness.cross_entropy import CROSS_ENTROPY
from ..sharpness.losses import LOSSES, find_loss
from .data import Data, in_order, read_data
from .figure import draw
from .network import Network, read_network, trained_loss
from .own import is_own, own_function
from .text import report

# Always measured, and what a figure needs.
LOSS, LANDSCAPE = "train_loss", "asc_sharpness"
LANDSCAPE_FAMILY = "landscape"


def run(arguments: Namespace) -> None:
    """Measure as the command says, print a table and write the document.

    Raises:
        InputError: whatever is wrong with the network, the data or the settings.
    """
    # A library that another one imports says so of itself.
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    arguments.loss = arguments.loss or trained_loss(arguments.checkpoint)
    device, loss = _device(arguments.device), _loss(arguments.loss)
    shown = sys.stderr.isatty()
    with progress_shown(BAR if shown else NOTHING):
        place = arguments.data, arguments.split, arguments.samples, arguments.image_size
        data = in_order(read_data(*place, arguments.seed), arguments.classes)
        network = read_network(arguments, data)
    families = _families(arguments, network, data, loss, device)
    result = {
        "minimascope": __version__,
        "torch": torch.__version__,
        **_subject(arguments, network, data),
        "device": device_name(device),
        "doubt": _doubt(arguments, network, data),
        "families": [
            document(f.family, f.measured, settings=dict(f.settings), seconds=f.seconds)
            for f in families
        ],
    }
    print(report(result, names_of(arguments.measures, arguments.settings)) + "\n")
    write_json(arguments.output, result)
    print(f"wrote {arguments.output}")
    if arguments.figure is not None:
        (landscape,) = (f for f in families if f.family == LANDSCAPE_FAMILY)
        title = f"{network.name} on {Path(arguments.data).name}"
        draw(arguments.figure, landscape.measured, title, find_loss(loss).unit)
        print(f"wrote {arguments.figure}")


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
) -> list[OfFamily]:
    """Return what each family gives that is asked for, and how well the network fits its data."""
    measures = arguments.measures
    for needed in [LOSS, *([LANDSCAPE] if arguments.figure else [])]:
        if not any(name in measures for name in (needed, *_relatives(needed))):
            measures = [*measures, needed]
    return measure_families(
        network.model.to(device),
        data.inputs,
        data.labels,
        measures,
        loss=loss,
        settings=arguments.settings,
        weight_decay=arguments.weight_decay,
        seed=arguments.seed,
        progress=sys.stderr.isatty(),
    )


def _relatives(measure: str) -> list[str]:
    """Return the family of a measure, and all measures that are computed together with it."""
    return next([name, *f.gives] for name, f in SHARPNESS.items() if measure in f.gives)


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


def _loss(given: str) -> str | Callable:
    if is_own(given):
        return own_function(given, "--loss")
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
        raise InputError(
            f"--device {given}: cannot be used ({reason}); use another, or leave it out"
        ) from error
    return device
