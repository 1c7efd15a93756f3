"""One table per kind of thing: to add one, write its module and add its line here.

The tables hold names and places only, so that a configuration can be checked without importing
torch; a component is imported when it is first used.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Component:
    """Where a component lives (``module:function``); its options are in the schema of studies.

    ``needs`` are the tables of the study that it takes first (results/<study>/tables/<name>.csv);
    ``gives`` names what it computes.
    """

    location: str
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()

    def load(self) -> Callable:
        """Import and return the component."""
        return load(self.location)


def load(location: str) -> Callable:
    """Import and return what lives at a place (``module:function``)."""
    module, _, name = location.partition(":")
    return getattr(import_module(f".{module}", __package__), name)


def _component(location: str, *needs: str, gives: Iterable[str] = ()) -> Component:
    return Component(location, needs, tuple(gives))


# The weights that all conditions of a seed start from, where a condition is expected.
INITIAL = "initial"
# All networks of a data set together, where a network is expected.
ALL_NETWORKS = "all"
# How names of networks start that begin with published weights, of ImageNet or AudioSet.
PRETRAINED = "pretrained_"
NETWORKS = {
    "resnet18": _component("networks.resnet:resnet18"),
    "vgg19": _component("networks.vgg:vgg19"),
    "vit": _component("networks.vit:vit"),
    "mlp": _component("networks.mlp:mlp"),
    "cnn10": _component("networks.panns:cnn10"),
    "cnn14": _component("networks.panns:cnn14"),
    "pretrained_resnet18": _component("networks.torchvision_pretrained:resnet18"),
    "pretrained_vgg19_bn": _component("networks.torchvision_pretrained:vgg19_bn"),
    "pretrained_cnn10": _component("networks.panns_pretrained:cnn10"),
    "pretrained_cnn14": _component("networks.panns_pretrained:cnn14"),
}
# What data sets consist of: images, unless their source gives something else.
IMAGES, RECORDINGS, POINTS = "images", "recordings", "points"
# What studies of analytic functions are about.
TOYS = "toys"
SOURCES = {
    "digits": _component("data.digits:load"),
    "circles": _component("data.circles:load", gives=[POINTS]),
    "image_folder": _component("data.image_folder:load"),
    "cifar10": _component("data.cifar:load_cifar10"),
    "cifar100": _component("data.cifar:load_cifar100"),
    "tiny_imagenet": _component("data.tiny_imagenet:load"),
    "audio_folder": _component("data.audio_folder:load", gives=[RECORDINGS]),
    "dcase2020": _component("data.dcase2020:load", gives=[RECORDINGS]),
    # Written by SCENES with its options, and then read as the official data are.
    "synthetic_scenes": _component("data.dcase2020:read_layout", gives=[RECORDINGS]),
}


def kind_of(source: str) -> str:
    """Return what the data sets of a source consist of."""
    return next(iter(SOURCES[source].gives), IMAGES)


# Sources that read nothing from the folder of raw data.
WITHOUT_FILES = frozenset({"digits", "circles", "synthetic_scenes"})
SCENES = _component("data.scenes:write_scenes")
# What loads published weights instead of drawing them, and what finds the file of weights where a
# study names none. Found here, so that no network depends on the code of another's weights.
LOAD_PRETRAINED = {
    "pretrained_resnet18": _component("networks.torchvision_pretrained:load_pretrained"),
    "pretrained_vgg19_bn": _component("networks.torchvision_pretrained:load_pretrained"),
    "pretrained_cnn10": _component("networks.panns_pretrained:load_pretrained"),
    "pretrained_cnn14": _component("networks.panns_pretrained:load_pretrained"),
}
FIND_WEIGHTS = {
    "pretrained_resnet18": _component("networks.torchvision_pretrained:find_weights"),
    "pretrained_vgg19_bn": _component("networks.torchvision_pretrained:find_weights"),
}
# Corrupted copies of a test split: our own, or a published set.
CORRUPTED_SETS = {
    "generated": _component("data.corruptions.generated:generate"),
    "cifar10_c": _component("data.corruptions.published:cifar10_c"),
    "cifar100_c": _component("data.corruptions.published:cifar100_c"),
    "tiny_imagenet_c": _component("data.corruptions.published:tiny_imagenet_c"),
}
OPTIMIZERS = {
    "sgd": _component("optim.standard:sgd"),
    "adam": _component("optim.standard:adam"),
    "adamw": _component("optim.standard:adamw"),
    "rmsprop": _component("optim.standard:rmsprop"),
    "kfac": _component("optim.kfac:KFAC"),
    "gdtuo": _component("optim.gdtuo:GDTUO"),
}
# Optimisers that change their learning rate themselves.
TUNED = frozenset({"gdtuo"})
# Averages of the weights that a training passes through.
AVERAGES = {
    "swa": _component("optim.averaging:StochasticWeightAverage"),
    "ema": _component("optim.averaging:ExponentialMovingAverage"),
}


@dataclass(frozen=True)
class Family(Component):
    """A family of sharpness measures: what one kind of work gives; the schema has its settings.

    Attributes:
        passes: about how many passes over the training data its settings take; one with gradients
            counts as three.
        arrays: whether it has curves or surfaces besides its numbers.
    """

    passes: Callable[[Mapping[str, Any]], int] = lambda settings: 1
    arrays: bool = False


def _perturbation_passes(settings: Mapping[str, Any]) -> int:
    passes = settings["samples"] + (2 * settings["published_samples"]) * settings["published"]
    adaptive = settings["adaptive"]
    return passes + (adaptive["samples"] + 3 * adaptive["steps"] if adaptive else 0)


def _hessian_passes(settings: Mapping[str, Any]) -> int:
    # A product is about three gradients, and an eigenvalue takes twenty products or more.
    ends = (settings["eigenvalues"] > 0) + (settings["smallest_eigenvalues"] > 0)
    density = settings["density_probes"] * settings["density_steps"]
    products = (20 * ends + settings["trace_products"]) * len(settings["matrices"]) + density
    return 9 * products


def _landscape_passes(settings: Mapping[str, Any]) -> int:
    return len(settings["direction_seeds"]) * (settings["points"] ** 2 + settings["line_points"])


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
}
# Names of `toy.functions.FUNCTIONS`.
TOY_FUNCTIONS = (
    *("sphere", "rosenbrock", "rastrigin", "beale", "booth", "three_hump_camel", "himmelblau"),
)


@dataclass(frozen=True)
class Table(Component):
    """A function of tables that returns the tables it `gives`: one, or a tuple in their order.

    Attributes:
        published: published tables that it takes after those
            (resources/published/<name>.csv). A table that takes nothing else is made once for all
            studies, in results/published.
        text: the function that turns tables into what readers see (`analysis.render.Text`), which
            lies beside them, under this table's key in `TABLES`. Empty if there is nothing to read.
        shows: the tables that this function takes, in their order.
        formats: in which that is written (`analysis.render.RENDERERS`).
        about: of a table that is the same for all studies: which of them have it, by what their
            data consist of (`IMAGES`, `RECORDINGS`) or by `TOYS`.
    """

    published: tuple[str, ...] = ()
    text: str = ""
    shows: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    about: str = ""

    @property
    def of_published_alone(self) -> bool:
        """Whether it is the same for all studies."""
        return bool(self.published) and not self.needs


def _table(location: str, *, about: str = "", text: str = "", **names: str) -> Table:
    lists = {key: tuple(value.split()) for key, value in names.items()}
    readable = {"shows": lists["gives"], "formats": ("md", "html")} if text else {}
    return Table(location, about=about, text=text, **readable | lists)


# Tables that are made of the documents of all models, by a function of these.
GATHERED = {
    "landscape": _component("analysis.curves:landscape"),
    "hessian": _component("analysis.curves:hessian"),
    "interpolation": _component("analysis.curves:interpolation"),
    "asc_pairs": _component("analysis.stability:pair_values"),
    "domains": _component("analysis.collect:domain_table"),
    "toy_fits": _component("analysis.toy_fits:fits_table"),
}
# Tables that are made of tables, where all that they need is there.
TABLES = {
    "conditions": _table("analysis.model_table:conditions_table", gives="conditions"),
    "summary": _table(
        "analysis.summary:summary_tables",
        needs="measures disagreement",
        gives="summary seed_values",
    ),
    "models": _table(
        "analysis.model_table:model_table", needs="measures conditions", gives="models"
    ),
    "trained": _table(
        "analysis.trained:trained_table",
        needs="measures",
        gives="trained",
        text="analysis.trained:text",
    ),
    "main": _table(
        "analysis.tables:main_tables",
        needs="summary",
        gives="main",
        text="analysis.tables:main_text",
        shows="summary",
        formats="md html tex",
    ),
    "sharpness": _table(
        "analysis.tables:sharpness_tables",
        needs="summary",
        gives="sharpness",
        text="analysis.tables:sharpness_text",
        shows="summary",
    ),
    "statistics": _table(
        "analysis.statistics:statistics",
        needs="seed_values conditions",
        gives="statistics",
        text="analysis.statistics:text",
    ),
    "claims": _table(
        "analysis.claims:claims_measured",
        needs="seed_values conditions",
        gives="claims",
        text="analysis.claims_text:text",
    ),
    "trends": _table(
        "analysis.trends:trend_tables",
        needs="summary seed_values",
        gives="trends trend_points rank_agreement",
        text="analysis.trends:text",
        shows="trends rank_agreement",
    ),
    "correlations": _table(
        "analysis.relations:relations",
        needs="summary trend_points models",
        gives="correlations variance_shares",
        text="analysis.relations:text",
    ),
    "answer": _table(
        "analysis.answer:answers",
        needs="summary conditions statistics claims correlations trends trend_points",
        gives="answer",
        text="analysis.answer:text",
        shows="answer correlations",
    ),
    "ensembles": _table(
        "analysis.ensemble_gain:gain_correlations",
        needs="ensembles summary",
        gives="ensemble_gain",
        text="analysis.ensemble_gain:text",
        shows="ensembles summary ensemble_gain",
    ),
    "stability": _table(
        "analysis.stability:stability_tables",
        needs="asc_pairs",
        gives="stability stability_order",
    ),
    "agreement": _table(
        "analysis.agreement:agreement_tables",
        needs="summary conditions",
        published="deep_models sam_rho_sweep",
        gives="agreement agreement_order",
        text="analysis.agreement:text",
    ),
    "toy_fits": _table(
        "analysis.toy_fits:summarise_fits",
        needs="toy_fits",
        gives="toy_fits_summary",
        text="analysis.toy_fits:text",
    ),
    "published_claims": _table(
        "analysis.claims:published_claims",
        published="deep_models",
        gives="published_claims",
        text="analysis.claims_text:text",
        about=IMAGES,
    ),
    "asc_reanalysis": _table(
        "analysis.published_scenes:reanalysis",
        published="asc_models asc_expected",
        gives="asc_reanalysis asc_models asc_conditions asc_correlations asc_trends"
        " asc_trend_points asc_variance_shares asc_stability asc_stability_order asc_domains",
        text="analysis.published_scenes:text",
        shows="asc_reanalysis asc_correlations asc_variance_shares asc_stability",
        about=RECORDINGS,
    ),
    "toy_geometry": _table(
        "analysis.toy_geometry:compare_toy_geometry",
        published="toy_functions",
        gives="toy_geometry",
        text="analysis.toy_fits:geometry_text",
        about=TOYS,
    ),
}
# A figure is drawn where the study has all tables that it needs.
# Of each network on each data set:
FIGURES = {
    "conditions": _component("plots.conditions:plot", "measures", "disagreement", "conditions"),
    "effects": _component("plots.effects:plot", "statistics", "conditions"),
    "sharpness_evaluation": _component(
        "plots.sharpness_evaluation:plot", "measures", "correlations", "conditions"
    ),
    "minima": _component("plots.minima:plot", "measures", "conditions"),
    "sweep": _component("plots.sweep:plot", "summary", "conditions"),
    "agreement": _component("plots.agreement:plot", "agreement", "agreement_order", "conditions"),
    "rank_agreement": _component("plots.rank_agreement:plot", "rank_agreement"),
    "training_curves": _component("plots.training_curves:plot", "history", "conditions"),
    "reliability": _component("plots.reliability:plot", "reliability", "conditions"),
    "disagreement": _component("plots.disagreement:plot", "disagreement"),
    "spectrum": _component("plots.spectrum:plot", "hessian", "conditions"),
    "landscape_contours": _component("plots.landscape:contours", "landscape"),
    "landscape_surfaces": _component("plots.landscape:surfaces", "landscape"),
    "landscape_lines": _component("plots.landscape:lines", "landscape", "conditions"),
    "interpolation": _component("plots.interpolation:plot", "interpolation"),
}
# Of all networks of a data set together:
DATASET_FIGURES = {
    "sharpness_accuracy": _component(
        "plots.sharpness_accuracy:plot", "models", "correlations", "conditions"
    ),
    "trends": _component("plots.trends:plot", "trends", "trend_points", "conditions"),
    "hyperparameters": _component(
        "plots.hyperparameters:plot", "models", "variance_shares", "conditions"
    ),
    "variance_shares": _component("plots.variance_shares:plot", "variance_shares"),
    "domains": _component("plots.domains:plot", "domains"),
    "stability": _component("plots.stability:plot", "stability", "stability_order"),
    "ensembles": _component(
        "plots.ensembles:plot", "ensembles", "summary", "ensemble_gain", "conditions"
    ),
}
# Of a study:
STUDY_FIGURES = {
    "toy_fits-losses": _component("plots.toy_fits:losses", "toy_fits"),
    "toy_fits-sharpness": _component("plots.toy_fits:sharpness", "toy_fits"),
    "toy_fits-equal_loss": _component("plots.toy_fits:equal_loss", "toy_fits"),
}
# What the published models of acoustic scenes are called as a data set.
PUBLISHED_SCENES = "dcase2020 (published)"
# Of published results, once for all studies:
PUBLISHED_FIGURES = {
    "toy_geometry": _component("plots.toy_geometry:plot", "toy_geometry"),
    **{
        f"published-{name}": Component(figure.location, tables)
        for name, figure in DATASET_FIGURES.items()
        if set(tables := tuple(f"asc_{table}" for table in figure.needs))
        <= set(TABLES["asc_reanalysis"].gives)
    },
}
# A page with landscapes that a reader can turn, of each network on each data set.
PAGE = _component("plots.interactive:page", "landscape")
# No two kinds have figures of the same name.
ALL_FIGURES = FIGURES | DATASET_FIGURES | STUDY_FIGURES | PUBLISHED_FIGURES
