"""What is wrong with further test sets of data sets, as far as a study and its folders tell.

No torch is imported here.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..components import RECORDINGS
from ..data.archives import is_archive
from ..data.class_names import CLASSES
from ..data.other_kinds import fault_of_classes
from ..data.raw_files import picture_names, picture_of_test, split_and_class
from ..errors import InputError, nearest
from .study import Study


def check_other_sets(study: Study) -> None:
    """Raise InputError for the first fault, naming the key and the remedy."""
    for dataset, spec in study.config["datasets"].items():
        _check_chosen(spec, f"datasets.{dataset}")
    for dataset, kind, name in study.other_sets:
        where = f"datasets.{dataset}.{kind}"
        own, theirs = study.kind(dataset), study.kind(dataset, kind, name)
        if own == RECORDINGS:
            raise InputError(
                f"{where}: recordings have none; test them on domains that are not trained on"
            )
        if own != theirs:
            raise InputError(f"{where}.{name}: {theirs} for a data set of {own}; name {own}")
        if isinstance(study.other_spec(dataset, kind, name).get("domains"), str):
            raise InputError(
                f"{where}.{name}.domains: further test sets do not tell domains apart, and have no"
                " table of them; leave it out"
            )
        if study.config["datasets"][dataset]["augment_test"]:
            raise InputError(
                f"{where}: further test sets are not augmented, and compared with a test split"
                f" that is; set datasets.{dataset}.augment_test to false"
            )
        spec, trained = study.other_spec(dataset, kind, name), study.config["datasets"][dataset]
        _check_chosen(spec, f"{where}.{name}")
        known = (_known(each) for each in (spec, trained))
        if fault := _fault(kind, *known):
            raise InputError(f"{where}.{name}: {fault}")


def _check_chosen(spec: Mapping[str, Any], where: str) -> None:
    """Refuse ``classes`` that a source lacks, where its own are known."""
    there = CLASSES.get(spec["source"])
    for name in map(str, spec["classes"] or []):
        if there and name not in there:
            raise InputError(f"{where}.classes: no class {name!r}; {nearest(name, there)}")


def other_part(study: Study, dataset: str, kind: str, name: str) -> dict[str, Any]:
    """Return how many samples of a further set are used, None for all, and its classes."""
    spec = study.other_spec(dataset, kind, name)
    classes = spec["classes"] and [*map(str, spec["classes"])]
    return {"test": spec["test_samples"], "classes": classes}


def faults_of_folders(study: Study, folder: Path) -> Iterator[str]:
    """Yield a line for each folder of pictures whose classes do not fit, key and remedy in it."""
    for dataset, kind, name in study.other_sets:
        spec, trained = study.other_spec(dataset, kind, name), study.config["datasets"][dataset]
        classes = (_found(each, folder, each is spec) for each in (spec, trained))
        if fault := _fault(kind, *classes):
            yield f"datasets.{dataset}.{kind}.{name}: {fault}"


def _fault(kind: str, there: Collection[str] | None, trained: Collection[str] | None) -> str | None:
    if there is None or trained is None:
        return None
    return fault_of_classes(kind, [*there], trained)


def _known(spec: Mapping[str, Any]) -> list[str] | None:
    """Return the classes that are used of a source, None if only its files tell."""
    return _used(spec, CLASSES.get(spec["source"]))


def _found(spec: Mapping[str, Any], folder: Path, test_alone: bool) -> list[str] | None:
    """Return the same, also of a folder of pictures, None if there is none."""
    if spec["source"] != "image_folder":
        return _known(spec)
    path = folder / spec["path"]
    if is_archive(path) or not path.is_dir():
        return None
    names, in_folders = picture_names(path), spec["domains"] is True
    if test_alone:
        labels = {*filter(None, map(picture_of_test(names, in_folders), names))}
    else:
        places = (split_and_class(name, in_folders) for name in names)
        labels = {place[1] for place in places if place}
    return _used(spec, sorted(labels))


def _used(spec: Mapping[str, Any], classes: Collection[str] | None) -> list[str] | None:
    chosen = spec["classes"] and {*map(str, spec["classes"])}
    return classes and [each for each in classes if not chosen or each in chosen]
