"""Under which corruptions data sets of a study are tested. No torch is imported here."""

from typing import TYPE_CHECKING, Any

from ..components import IMAGES
from ..data.corruptions.kinds import KINDS_OF
from ..data.corruptions.severities import VALIDATION_ONLY

if TYPE_CHECKING:
    from .study import Study


def corruption_names(study: "Study", dataset: str) -> list[str]:
    """Return the corruptions of a data set, of those that its corrupted set has."""
    corruptions, corrupted = (
        study.config["evaluation"]["corruptions"],
        corrupted_set(study, dataset),
    )
    if corruptions is None or corrupted == "none":
        return []
    kinds = KINDS_OF.get(study.kind(dataset), {})
    made = {name for names in kinds.values() for name in names}
    made -= {*VALIDATION_ONLY} if corrupted == "tiny_imagenet_c" else set()
    return [name for name in corruptions["names"] if name in made]


def corruption_kinds(study: "Study", dataset: str) -> dict[str, list[str]]:
    """Return the same by kind, in the order of the study, without kinds that it has none of."""
    names = corruption_names(study, dataset)
    found = {
        kind: [name for name in names if name in made]
        for kind, made in KINDS_OF.get(study.kind(dataset), {}).items()
    }
    return {kind: chosen for kind, chosen in found.items() if chosen}


def corrupted_datasets(study: "Study") -> list[str]:
    """Return the data sets with corrupted copies of their test split."""
    return [dataset for dataset in study.config["datasets"] if corruption_names(study, dataset)]


def corrupted_set(study: "Study", dataset: str) -> str:
    """Return the corrupted set of a data set: its name, ``generated`` or ``none``."""
    fitting = "generated" if study.kind(dataset) == IMAGES else "none"
    return study.config["datasets"][dataset]["corrupted"] or fitting


def corruption_spec(study: "Study", dataset: str, kind: str) -> dict[str, Any]:
    """Return corrupted set, corruptions of a kind, severities and number of samples."""
    settings = study.config["evaluation"]["corruptions"]
    return {
        "names": corruption_kinds(study, dataset)[kind],
        "set": corrupted_set(study, dataset),
        "severities": settings["severities"],
        "samples": settings["samples"],
    }
