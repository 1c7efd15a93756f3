"""The words of the command ``minimascope``, without torch."""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from .. import __version__
from ..analysis.measure_names import MEASURES
from ..errors import InputError
from ..registry import SHARPNESS, USUAL_MEASURES
from ..sharpness.given_measures import family_of
from ..sharpness.radii import SAM, SIGNED, AtRadius
from ..sharpness.unknown_names import remedy

DEFAULT_OUTPUT = Path("measures.json")
FIGURES = (".png", ".svg", ".pdf")
USAGE_ERROR = 2
DESCRIPTION = """\
Measure the sharpness of a network on its data: print a table with errors and noise floors, and
write all of it as JSON."""
EXAMPLES = """\
examples:
  minimascope measure --network timm:resnet18 --checkpoint model.pt --data pictures/ \\
      --normalize 0.485,0.456,0.406 0.229,0.224,0.225 --measures fisher_rao_norm hessian_trace
  minimascope measure --checkpoint results/digits/models/…/model.safetensors \\
      --data results/digits/data/digits/prepared.safetensors
  minimascope measure --network my_network.py:build --checkpoint model.pt --data tokens.npz
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong on standard error and exit with 2."""
        self.exit(USAGE_ERROR, f"error: {InputError(message)} (see {self.prog} --help)\n")


class ListMeasures(argparse.Action):
    """Prints what can be measured, and ends the program."""

    def __init__(self, **options: Any):
        super().__init__(**options | {"nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_rest: Any) -> NoReturn:
        """Print the families with their measures, a line for each."""
        print("\n".join(listed_measures()))
        sys.exit()


def listed_measures() -> Iterator[str]:
    """Yield a line for each family, and below it one for each of its measures."""
    width = max(len(name) for family in SHARPNESS.values() for name in family.gives)
    for name, family in SHARPNESS.items():
        yield f"{name}: all of"
        for measure in family.gives:
            yield f"  {measure:{width}}  {MEASURES[measure].description}"
        if SAM in family.gives:
            example, what = AtRadius(SAM, 0.025).name, "SAM-sharpness at any other radius, such as"
            yield f"  {example:{width}}  {what} 0.025; {AtRadius(SIGNED, 0.025).name} is its twin."


def parsed(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the words of a command; one that makes no sense ends the program with 2."""
    whole = parser()
    arguments = whole.parse_args(given)
    if arguments.network is None and arguments.checkpoint is None:
        whole.error("name a --network, or a --checkpoint that was trained by this project")
    try:
        arguments.settings = nested(arguments.settings)
    except InputError as error:
        whole.error(str(error))
    return arguments


def parser() -> Parser:
    """Return the parser of the command."""
    whole = Parser(prog="minimascope", description="Sharpness of minima, of any network.")
    whole.add_argument("--version", action="version", version=f"minimascope {__version__}")
    commands = whole.add_subparsers(metavar="command", required=True)
    measure = commands.add_parser(
        "measure",
        help="measure a network, wherever it was trained",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_network(measure.add_argument_group("the network"))
    _add_data(measure.add_argument_group("the data"))
    _add_measures(measure.add_argument_group("what is measured"))
    return whole


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--network",
        metavar="NAME",
        help="an architecture of a study (resnet18, vit, …), torchvision:NAME, timm:NAME, or"
        " FILE.py:FUNCTION for a function of yours that returns the network; not needed for a"
        " model.safetensors of this project",
    )
    group.add_argument(
        "--option",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        type=_setting,
        help="options of the network, such as width=0.25",
    )
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=Path,
        help="its weights: .pt, .pth or .safetensors; nothing in it is run. Without one, weights"
        " are those that the network is built with, drawn by the seed",
    )
    group.add_argument(
        "--key", metavar="ENTRY", help="entry of the checkpoint with the weights, such as ema.model"
    )


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        metavar="PATH",
        required=True,
        help="what it was trained on: a folder or archive of pictures (train/CLASS/ and"
        " test/CLASS/, or CLASS/ alone), an .npz with inputs and labels, a prepared.safetensors of"
        " a study, or FILE.py:FUNCTION for a function of yours that returns inputs and labels, a"
        " Dataset or a DataLoader",
    )
    group.add_argument(
        "--split", choices=("train", "test"), help="part of the data that is used (default: train)"
    )
    group.add_argument(
        "--samples", metavar="N", type=_positive, help="use N of them, drawn by the seed"
    )
    group.add_argument(
        "--image-size", metavar="N", type=_positive, help="resize pictures to N × N (bicubic)"
    )
    group.add_argument(
        "--normalize",
        nargs=2,
        metavar=("MEAN", "STD"),
        type=_numbers,
        help="of pictures from 0 to 1, as in training: one number for all channels, or one for each"
        " with commas (default: 0.5 0.5; other inputs are taken as they are)",
    )
    group.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="classes in the order of the network's outputs, or a file with one in each line"
        " (default: names of folders in alphabetical order)",
    )


def _add_measures(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--measures",
        nargs="+",
        metavar="NAME",
        type=_measure,
        default=USUAL_MEASURES,
        help=f"measures, or families for all of theirs (default: {' '.join(USUAL_MEASURES)})",
    )
    group.add_argument(
        "--list", action=ListMeasures, help="print all measures, a line for each, and exit"
    )
    group.add_argument(
        "--loss",
        metavar="NAME",
        help="that which the checkpoint of a study was trained with, and cross_entropy of others"
        " (default); cross_entropy, squared_error (as in a study), binary_cross_entropy, mse,"
        " or FILE.py:FUNCTION for a function of yours from (outputs, labels) to the loss of each"
        " sample",
    )
    group.add_argument(
        "--set",
        metavar="FAMILY.KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        type=_setting,
        dest="settings",
        help="settings of families, such as hessian.trace_products=198 (docs/configuration.md)",
    )
    group.add_argument(
        "--weight-decay",
        metavar="X",
        type=_not_negative,
        default=0.0,
        help="of the training, for hessian.l2=true (default: 0)",
    )
    group.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of all that is drawn (default: 0)"
    )
    group.add_argument(
        "--device", metavar="NAME", help="cpu, cuda or cuda:1 (default: a GPU if there is one)"
    )
    group.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=DEFAULT_OUTPUT,
        help=f"the JSON document (default: {DEFAULT_OUTPUT})",
    )
    group.add_argument(
        "--figure",
        metavar="FILE",
        type=_figure,
        help="draw the loss around the network, too: .png, .svg or .pdf",
    )


def nested(settings: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return settings by their paths as mappings of mappings.

    >>> nested([("hessian.trace_products", 99), ("perturbation.adaptive.steps", 5)])
    {'hessian': {'trace_products': 99}, 'perturbation': {'adaptive': {'steps': 5}}}
    """
    whole: dict[str, Any] = {}
    for path, value in settings:
        *above, key = path.split(".")
        inner = whole
        for part in above:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InputError(f"--set {path}: {part} has a value of its own; give one of them")
        inner[key] = value
    return whole


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"{value!r} is no value as YAML has it") from None


def _measure(text: str) -> str:
    if text not in SHARPNESS and family_of(text) is None:
        raise argparse.ArgumentTypeError(f"unknown name {text!r}; {remedy(text)}")
    return text


def _figure(text: str) -> Path:
    path = Path(text)
    if path.suffix not in FIGURES:
        raise argparse.ArgumentTypeError(f"{text!r} ends in none of {', '.join(FIGURES)}")
    return path


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number nor several with commas"
        ) from None


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value < math.inf):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return value
