"""Under which corruptions data sets of a study are tested. No torch is imported here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..components import IMAGES
from ..data.corruptions.kinds import CORRUPTIONS, KINDS_OF
from ..data.corruptions.severities import SEVERITIES, VALIDATION_ONLY
from ..errors import InputError

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


def check_corruptions(study: "Study") -> None:
    """Refuse settings of corruptions that no data set is tested under, unless it says none."""
    settings, where = study.config["evaluation"]["corruptions"], "evaluation.corruptions"
    if settings is None:
        return
    taken = {name for each in study.config["datasets"] for name in corruption_names(study, each)}
    # All of them is the default, of which data sets take their own.
    chosen = [] if {*settings["names"]} == {*CORRUPTIONS} else settings["names"]
    for name in chosen:
        if name not in taken and (remedy := _remedy(study, [name])):
            raise InputError(f"{where}.names: no data set has copies with {name}; {remedy}")
    changed = settings["samples"] is not None or {*settings["severities"]} != {*SEVERITIES}
    if changed and not taken and (remedy := _remedy(study, CORRUPTIONS)):
        raise InputError(f"{where}: no data set has corrupted copies; {remedy}")


def _remedy(study: "Study", names: Sequence[str]) -> str:
    """Return how data sets come to one of these corruptions; nothing if one is to have none."""
    datasets = study.config["datasets"]
    could = [
        dataset
        for dataset in datasets
        if any({*names} & {*made} for made in KINDS_OF.get(study.kind(dataset), {}).values())
    ]
    if not datasets or "none" in (datasets[dataset]["corrupted"] for dataset in could):
        return ""
    return (
        f"set datasets.{could[0]}.corrupted to generated, or " if could else ""
    ) + "leave it out"


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
