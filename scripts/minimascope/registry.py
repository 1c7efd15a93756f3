"""One table per kind of thing: to add one, write its module and add its line here.

The tables hold names and places only (`components`); those of results are in
`tables_and_figures`. `find` is the way from a name that a user wrote to its component.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from . import own_parts
from .components import POINTS, RECORDINGS, Component, component, load
from .errors import InputError, nearest
from .study.parts_file import names_in
from .study.signatures import given_tables
from .tables_and_figures import ALL_FIGURES, TABLES, Table

# The weights that all conditions of a seed start from, where a condition is expected.
INITIAL = "initial"
# The measures of predictions, among families of measures.
EVALUATION = "evaluation"
# All networks of a data set together, where a network is expected.
ALL_NETWORKS = "all"
# How names of networks start that begin with published weights, of ImageNet or AudioSet.
PRETRAINED = "pretrained_"
NETWORKS = {
    "resnet18": component("networks.resnet:resnet18"),
    "resnet": component("networks.resnet:resnet"),
    "vgg19": component("networks.vgg:vgg19"),
    "vit": component("networks.vit:vit"),
    "vit_standard": component("networks.vit_standard:vit_standard"),
    "mlp": component("networks.mlp:mlp"),
    "cnn10": component("networks.panns:cnn10"),
    "cnn14": component("networks.panns:cnn14"),
    "crnn": component("networks.crnn:crnn"),
    "pretrained_resnet18": component("networks.torchvision_pretrained:resnet18"),
    "pretrained_vgg19_bn": component("networks.torchvision_pretrained:vgg19_bn"),
    "pretrained_cnn10": component("networks.panns_pretrained:cnn10"),
    "pretrained_cnn14": component("networks.panns_pretrained:cnn14"),
}
# Those of which a condition can choose what normalises their layers, and what usually does.
WITH_NORMS = frozenset({"resnet", "resnet18", "vgg19"})
USUAL_NORM = "batch"
# Those whose hidden units can be matched (`sharpness.symmetries`).
WITH_MATCHING = ("mlp", "resnet", "resnet18", "vgg19", "vit", "vit_standard")
# Those that have BatchNorm without a choice.
WITH_BATCHNORM = frozenset(
    {"cnn10", "cnn14", "crnn", "pretrained_cnn10", "pretrained_cnn14"}
    | {"pretrained_resnet18", "pretrained_vgg19_bn"}
)
# What BatchNorm's running statistics are at a point between networks: estimated anew from the data,
# or on the line between those of both.
REESTIMATED, INTERPOLATED = "reestimated", "interpolated"
# Libraries whose classifiers a study names as they do: timm:resnet18.
LIBRARIES = ("torchvision", "timm")
SOURCES = {
    "digits": component("data.digits:load"),
    "digit_styles": component("data.digit_styles:load"),
    "letters": component("data.letters:load"),
    "circles": component("data.circles:load", gives=[POINTS]),
    "image_folder": component("data.image_folder:load"),
    "cifar10": component("data.cifar:load_cifar10"),
    "cifar100": component("data.cifar:load_cifar100"),
    "tiny_imagenet": component("data.tiny_imagenet:load"),
    "audio_folder": component("data.audio_folder:load", gives=[RECORDINGS]),
    "dcase2020": component("data.dcase2020:load", gives=[RECORDINGS]),
    # Written by SCENES with its options, and then read as the official data are.
    "synthetic_scenes": component("data.dcase2020:read_layout", gives=[RECORDINGS]),
}


# Sources that read nothing from the folder of raw data.
WITHOUT_FILES = frozenset({"digits", "digit_styles", "letters", "circles", "synthetic_scenes"})
# What reads a further test set where that need not have a training split.
TEST_ALONE = {"image_folder": component("data.image_folder:load_test")}
SCENES = component("data.scenes:write_scenes")
# What loads published weights instead of drawing them, and what finds the file of weights where a
# study names none. Found here, so that no network depends on the code of another's weights.
LOAD_PRETRAINED = {
    "pretrained_resnet18": component("networks.torchvision_pretrained:load_pretrained"),
    "pretrained_vgg19_bn": component("networks.torchvision_pretrained:load_pretrained"),
    "pretrained_cnn10": component("networks.panns_pretrained:load_pretrained"),
    "pretrained_cnn14": component("networks.panns_pretrained:load_pretrained"),
}
FIND_WEIGHTS = {
    "pretrained_resnet18": component("networks.torchvision_pretrained:find_weights"),
    "pretrained_vgg19_bn": component("networks.torchvision_pretrained:find_weights"),
}
# Corrupted copies of a test split: our own, or a published set.
CORRUPTED_SETS = {
    "generated": component("data.corruptions.generated:generate"),
    "cifar10_c": component("data.corruptions.published:cifar10_c"),
    "cifar100_c": component("data.corruptions.published:cifar100_c"),
    "tiny_imagenet_c": component("data.corruptions.published:tiny_imagenet_c"),
}
OPTIMIZERS = {
    "sgd": component("optim.standard:sgd"),
    "adam": component("optim.standard:adam"),
    "adamw": component("optim.standard:adamw"),
    "rmsprop": component("optim.standard:rmsprop"),
    "kfac": component("optim.kfac:KFAC"),
    "gdtuo": component("optim.gdtuo:GDTUO"),
}
# Optimisers that change their learning rate themselves.
TUNED = frozenset({"gdtuo"})
# The learning rate over time.
SCHEDULES = {
    "constant": component("schedule:constant"),
    "cosine": component("schedule:cosine"),
    "multi_step": component("schedule:multi_step"),
    "one_cycle": component("schedule:one_cycle"),
}
# Averages of the weights that a training passes through.
AVERAGES = {
    "swa": component("optim.averaging:StochasticWeightAverage"),
    "ema": component("optim.averaging:ExponentialMovingAverage"),
    "swad": component("optim.averaging:DenseStochasticWeightAverage"),
}


@dataclass(frozen=True)
class Family(Component):
    """A family of sharpness measures: what one kind of work gives; the schema has its settings.

    Attributes:
        passes: about how many passes over the training data its settings take; one with gradients
            counts as three.
        arrays: whether it has curves or surfaces besides its numbers.
        takes: what it measures besides the network and its training data, where a study has it:
            ``test``, the loss over the test data, `INITIAL`, the network that training began
            with, and of weights that a training passes through ``update`` (`optim.stability`) and
            ``previous``, the arrays of the moment before. What takes ``path``, the states of all
            moments, is measured once, at the last of them.
    """

    passes: Callable[[Mapping[str, Any]], int] = lambda settings: 1
    arrays: bool = False
    takes: tuple[str, ...] = ()

    def all_passes(self, settings: Mapping[str, Any], by_domain: bool) -> int:
        """About how many passes its settings take, with those over domains and cities if wanted."""
        return self.passes(settings) + (2 * self.passes(of_a_part(settings)) if by_domain else 0)


# What is left out on parts of the data: a published procedure, and curves, which are of the whole.
OF_THE_WHOLE = {
    "published": False,
    "line_points": 0,
    "eigenvectors": False,
    "density_probes": 0,
    "more_direction_seeds": (),
}


def of_a_part(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with which a family gives its numbers alone, on a part of the data."""
    return {**settings, **{key: OF_THE_WHOLE[key] for key in settings if key in OF_THE_WHOLE}}


def _adaptive_passes(settings: Mapping[str, Any]) -> int:
    once = settings["samples"] + 3 * settings["starts"] * settings["steps"]
    return once * (1 + settings["quotient"])


def _perturbation_passes(settings: Mapping[str, Any]) -> int:
    passes = (
        settings["samples"] * (1 + len(settings["more_radii"]))
        + (2 * settings["published_samples"]) * settings["published"]
    )
    adaptive = settings["adaptive"]
    return passes + (_adaptive_passes(adaptive) if adaptive else 0)


def _hessian_passes(settings: Mapping[str, Any]) -> int:
    # A product is about three gradients, and an eigenvalue takes twenty products or more.
    ends = (settings["eigenvalues"] > 0) + (settings["smallest_eigenvalues"] > 0)
    density = settings["density_probes"] * settings["density_steps"]
    products = (20 * ends + settings["trace_products"]) * len(settings["matrices"]) + density
    return 9 * products


def _landscape_passes(settings: Mapping[str, Any]) -> int:
    surface = settings["points"] ** 2
    pairs = len(settings["direction_seeds"]) + len(settings.get("more_direction_seeds", ()))
    passes = pairs * (surface + settings["line_points"])
    # Two eigenvalues take forty products or more, as many as nine passes each; the slope three.
    return passes + (surface + 9 * 40 + 3 if settings["eigenvectors"] else 0)


def _input_passes(settings: Mapping[str, Any]) -> int:
    # Ten classes count as usual; a product with the Jacobian counts as two passes. The test data
    # are often fewer than the training data.
    projections = settings["projections"]
    products = 10 if projections is None else 2 * projections + 1
    return 2 + len(settings["noise"]) * settings["draws"] + 2 * products


def _norms_passes(settings: Mapping[str, Any]) -> int:
    # Of each of two kinds of noise, at each step and at the two points from which slopes are known.
    search = 2 * settings["samples"] * (settings["steps"] + 4)
    return 2 + (search if settings["pac_bayes"] else 0)


def _edge_passes(settings: Mapping[str, Any]) -> int:
    # A search that begins near takes about eight products; a batch is a small part of the data.
    return 9 * 8 + 8 + settings["batches"] // 4


# Names of a family that are taken on training and on test data.
_NEAR_DATA = (
    "jacobian_norm",
    *(f"noise_sensitivity_{size}" for size in ("small", "medium", "large")),
    "logit_margin",
    "boundary_distance",
    "boundary_distance_attack",
)
SHARPNESS = {
    "forward": Family(
        "sharpness.forward:measure",
        # The gradient norm counts as three.
        passes=lambda settings: 4 + settings["published"],
        gives=(
            "fisher_rao_norm",
            "relative_flatness",
            "squared_weight_norm",
            "train_loss",
            "train_accuracy",
            "train_label_entropy",
            "train_label_impurity",
            "train_gradient_norm",
            "fisher_rao_norm_l5",
            "relative_flatness_published",
            "relative_flatness_published_loss",
        ),
    ),
    "perturbation": Family(
        "sharpness.perturbation:measure",
        passes=_perturbation_passes,
        gives=(
            "sam_sharpness",
            "sam_sharpness_signed",
            "sam_sharpness_published",
            "sam_sharpness_null",
            "adaptive_sharpness_average",
            "adaptive_sharpness_worst",
            "quotient_sharpness_average",
            "quotient_sharpness_worst",
        ),
    ),
    "hessian": Family(
        "sharpness.hessian:measure",
        passes=_hessian_passes,
        arrays=True,
        gives=(
            "hessian_top_eigenvalue",
            "hessian_smallest_eigenvalue",
            "hessian_trace",
            "gauss_newton_top_eigenvalue",
            "gauss_newton_trace",
        ),
    ),
    "landscape": Family(
        "sharpness.landscape:measure",
        passes=_landscape_passes,
        arrays=True,
        gives=("asc_sharpness", "asc_sharpness_max", "asc_sharpness_std", "asc_sharpness_cv"),
    ),
    "input": Family(
        "sharpness.input:measure",
        passes=_input_passes,
        takes=("test",),
        gives=(*_NEAR_DATA, *(f"test_{name}" for name in _NEAR_DATA)),
    ),
    "norms": Family(
        "sharpness.norms:measure",
        passes=_norms_passes,
        takes=(INITIAL,),
        gives=(
            "log_product_of_spectral_norms",
            "log_product_of_spectral_norms_over_margin",
            "log_sum_of_spectral_norms",
            "log_spectral_bound",
            "frobenius_over_spectral",
            "log_product_of_frobenius_norms",
            "frobenius_distance",
            "spectral_distance",
            "log_path_norm",
            "log_path_norm_over_margin",
            "inverse_margin",
            "pac_bayes_flatness",
            "pac_bayes_orig",
            "pac_bayes_init",
            "pac_bayes_magnitude_flatness",
        ),
    ),
}
# Families of weights that a training passes through, and of how it changes them.
OF_SNAPSHOTS = {
    EVALUATION: Family(
        "evaluation.on_the_way:measure",
        takes=("test",),
        gives=("test_accuracy", "test_nll", "test_brier", "test_ece"),
    ),
    "edge_of_stability": Family(
        "sharpness.edge_of_stability:measure",
        passes=_edge_passes,
        takes=("update", "previous"),
        gives=(
            "hessian_top_eigenvalue",
            "preconditioned_top_eigenvalue",
            "stability_threshold",
            "small_batch_threshold",
            "edge_ratio",
            "critical_sharpness",
            "batch_sharpness",
        ),
    ),
    "path": Family(
        "sharpness.path:measure",
        passes=lambda settings: settings["points"] ** 2,
        arrays=True,
        takes=("path",),
        gives=("path_share_first", "path_share_second", "path_length", "path_directness"),
    ),
}
# What a network is measured by where nobody says by what.
USUAL_MEASURES = ("fisher_rao_norm", "relative_flatness", "sam_sharpness")
# Names of `toy.functions.FUNCTIONS`.
TOY_FUNCTIONS = (
    *("sphere", "rosenbrock", "rastrigin", "beale", "booth", "three_hump_camel", "himmelblau"),
)


@dataclass(frozen=True)
class OfLibrary(Component):
    """A network that a library builds, by its name there."""

    library: str = ""
    name: str = ""

    @classmethod
    def named(cls, library: str, name: str) -> Self:
        """Return the network of a library that it calls so, whether or not there is one."""
        return cls(f"networks.libraries:{library}_network", library=library, name=name)

    def load(self) -> Callable:
        """Import the library and return the function from a `networks.NetworkSpec` to a network."""
        return partial(load(self.location), self.name)


def library_of(architecture: Any) -> str | None:
    """Return the library that an architecture is named after (``timm:resnet18``), or None."""
    library, _, name = str(architecture).partition(":")
    return library if name and library in LIBRARIES else None


@dataclass(frozen=True)
class Kind:
    """What can be found by name.

    Attributes:
        word: for one of the kind.
        table: its components by name.
        given: parameters of components that are not options: other keys of the study, and data.
            None where every parameter without a default is given.
    """

    word: str
    table: Mapping[str, Component]
    given: frozenset[str] | None


def _kind(word: str, table: Mapping[str, Component], given: str) -> Kind:
    return Kind(word, table, frozenset(given.split()))


KINDS = {
    "networks": _kind("architecture", NETWORKS, "channels input_size classes width dropout"),
    "sources": _kind("source", SOURCES, "data_dir"),
    "optimizers": _kind("optimizer", OPTIMIZERS, "model params lr weight_decay"),
    "schedules": _kind("schedule", SCHEDULES, "step steps first"),
    "averages": _kind("average", AVERAGES, "model"),
    # Of users alone: those of the library are keys of `training.augment`.
    "augmentations": _kind("augmentation", {}, "inputs generator"),
    "sharpness": _kind(
        "family of measures",
        SHARPNESS | OF_SNAPSHOTS,
        "subject model inputs labels classes generator",
    ),
    # Of users alone, too.
    "evaluations": _kind("evaluation", {}, "model inputs labels logits classes generator"),
    "tables": Kind("table", TABLES, None),
    "figures": Kind("figure", ALL_FIGURES, None),
}
# What finds a component by a name behind a prefix, such as ``torchvision:resnet50``, by kind.
PREFIXES: dict[str, dict[str, Callable[[str], Component]]] = {
    "networks": {library: partial(OfLibrary.named, library) for library in LIBRARIES}
}


def find(kind: str, name: str, parts: Path | None = None) -> Component:
    """Return the component of a kind (`KINDS`) that a user names: ``name``, or ``prefix:name``.

    Args:
        kind: of the component.
        name: as the study has it. In results, components of the user have no prefix.
        parts: the user's own file of components (`Study.parts`); that of this process where it is
            not given, as in jobs.

    Raises:
        InputError: there is none of this name.
    """
    if name in KINDS[kind].table:
        return KINDS[kind].table[name]
    library, _, theirs = name.partition(":")
    if theirs and library in PREFIXES.get(kind, {}):
        return PREFIXES[kind][library](theirs)
    prefix, _, own = name.rpartition(":")
    parts = parts or own_parts.current()
    if parts and prefix in ("", parts.stem) and own in names_in(parts):
        return _own(kind, parts, own)
    where = "" if parts or not prefix else f"; if it is in {prefix}.py, name that under parts"
    hint = nearest(name, KINDS[kind].table)
    if libraries := " and ".join(f"{each}:NAME" for each in PREFIXES.get(kind, ())):
        hint += f"; those of libraries are {libraries}"
    raise InputError(f"{KINDS[kind].word}: unknown name {name!r}{where or f'; {hint}'}")


def is_family(key: str) -> bool:
    """Return whether a key of the section ``sharpness`` is the name of a family."""
    return key in SHARPNESS or key in OF_SNAPSHOTS or ":" in key


def bare(name: str) -> str:
    """Return a component's name without its prefix, as results have it.

    >>> bare("my_parts:small_cnn")
    'small_cnn'
    """
    return name.rpartition(":")[2]


def _own(kind: str, file: Path, name: str) -> Component:
    """Return a function of the user's file as a component."""
    location = f"{file.name}:{name}"
    match kind:
        case "sharpness":
            return Family(location, file=file)
        case "tables":
            return Table(
                location,
                needs=given_tables(file, name),
                gives=(name,),
                file=file,
                text="analysis.own_table:text",
                shows=(name,),
                formats=("md", "html"),
            )
        case "figures":
            return Component(location, given_tables(file, name), file=file)
    return Component(location, file=file)
