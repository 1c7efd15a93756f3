"""What is wrong with attacks and adversarial trainings although the schema allows it."""

from ..attacks.spec import check_radius, measures_of, radius_of
from ..components import IMAGES
from ..errors import InputError
from .keys import key_of
from .sizes import known_size
from .study import Study

WHERE = "evaluation.adversarial"


def measures_of_attacks(study: Study) -> list[str]:
    """Return the names of all measures of attacks that a study has."""
    section, datasets = study.config["evaluation"]["adversarial"], study.config["datasets"]
    kinds = sorted({study.has_recordings(dataset) for dataset in datasets})
    return [name for recordings in kinds for name in measures_of(section, recordings)]


def check_adversarial(study: Study) -> None:
    """Refuse radii that no input allows, or that are one, and losses that need more classes."""
    if section := study.config["evaluation"]["adversarial"]:
        for norm, radii in section["radii"].items():
            if len(set(map(radius_of, radii))) < len(radii):
                raise InputError(f"{WHERE}.radii.{norm}: lists a radius twice; give each once")
            for dataset in study.config["datasets"]:
                for radius in radii:
                    _check_radius(study, dataset, radius, norm, f"{WHERE}.radii.{norm}")
        for dataset in study.config["datasets"]:
            if known_size(study, dataset).classes == 2 and "dlr" in (section["losses"] or ()):
                raise InputError(
                    f"{WHERE}.losses: dlr needs three classes, and {dataset} has two; write [ce]"
                )
    for (dataset, condition), training in study.training.items():
        if spec := training["adversarial"]:
            where = key_of(study, dataset, condition, "adversarial.radius")
            _check_radius(study, dataset, spec["radius"], spec["norm"], where)


def _check_radius(study: Study, dataset: str, radius: float | str, norm: str, where: str) -> None:
    # What a function of the user's returns may be floating, in any range.
    own = study.component("sources", study.source_spec(dataset)["source"]).file
    pictures = study.kind(dataset) == IMAGES and own is None
    check_radius(radius, norm, pictures, known_size(study, dataset).shape, where)
