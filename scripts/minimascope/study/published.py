"""Which published values a study is set beside. No torch is imported here."""

from typing import TYPE_CHECKING

from ..components import IMAGES, RECORDINGS, TOYS
from ..registry import USUAL_NORM

if TYPE_CHECKING:
    from .study import Study

# The networks of the published tables, by data set (resources/published/deep_models.csv).
PUBLISHED_NETWORKS = {
    "cifar10": ("resnet18", "vgg19", "vit"),
    "cifar100": ("resnet18", "vgg19", "vit"),
    "tiny_imagenet": ("pretrained_resnet18", "pretrained_vgg19_bn"),
}
# The recordings of the published table of models (resources/published/asc_models.csv).
PUBLISHED_RECORDINGS = "dcase2020"


def compared_kinds(study: "Study") -> set[str]:
    """Return what published results are shown of: kinds of data, and analytic functions.

    Unless the study says otherwise: of its data, where these or their networks are published.
    """
    kinds = {study.kind(dataset) for dataset in study.config["datasets"]}
    if study.config["compare_with_published"] is None:
        sources = {spec["source"] for spec in study.config["datasets"].values()}
        kinds = {IMAGES} if compared_pairs(study) else set()
        kinds |= {RECORDINGS} if PUBLISHED_RECORDINGS in sources else set()
    elif not study.config["compare_with_published"]:
        kinds = set()
    return kinds | ({TOYS} if study.config["toy_functions"] else set())


def compared_pairs(study: "Study") -> list[tuple[str, str]]:
    """Return all (data set, network) that are set beside published values of the same."""
    if study.config["compare_with_published"] is False:
        return []
    return [
        pair
        for pair in study.pairs
        if any(is_published(study, *pair, condition) for condition in study.conditions)
    ]


def published_dataset(study: "Study", dataset: str) -> str | None:
    """Return the data set of the published tables that one is compared with, or None."""
    spec = study.config["datasets"][dataset]
    source = spec["source"]
    whole = source in PUBLISHED_NETWORKS and spec["classes"] is None
    return spec["published_as"] or (source if whole else None)


def has_published_norm(study: "Study", dataset: str, network: str, condition: str) -> bool:
    """Return whether a condition's networks are normalised as the published ones."""
    return study.norm(dataset, network, condition) in (None, USUAL_NORM)


def is_published(study: "Study", dataset: str, network: str, condition: str) -> bool:
    """Return whether published tables have values of a condition's networks on a data set."""
    published = PUBLISHED_NETWORKS.get(published_dataset(study, dataset), ())
    alike = has_published_norm(study, dataset, network, condition)
    return alike and study.network_spec(network)["architecture"] in published
