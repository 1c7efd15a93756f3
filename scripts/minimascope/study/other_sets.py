"""What is wrong with further test sets of data sets, as far as a study and its folders tell.

No torch is imported here.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..components import RECORDINGS
from ..data.archives import is_archive
from ..data.class_names import CLASSES
from ..data.other_kinds import KINDS, SHIFTED, fault_of_classes, fault_of_shapes
from ..data.raw_files import picture_names, picture_of_test, split_and_class
from ..errors import InputError, nearest
from .sizes import whole_size
from .study import Study

# Sources that split the same handwritten digits, the options that say how, and the style that has
# none of their pictures.
SAME_DIGITS = ("digits", "digit_styles")
OF_THE_SPLIT = ("train_size", "split_seed")
DRAWN = "drawn"


def with_splits(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked configuration whose further test sets split digits as their data sets do.

    They take what a data set says of its split, where they say nothing else themselves: their test
    samples are its own then, none of which was trained on.
    """
    datasets = {
        dataset: {**spec, **{kind: _with_split(spec, kind) for kind in KINDS if kind in spec}}
        for dataset, spec in config.get("datasets", {}).items()
    }
    return {**config, **({"datasets": datasets} if "datasets" in config else {})}


def _with_split(spec: Mapping[str, Any], kind: str) -> dict[str, Any]:
    split = {key: spec[key] for key in OF_THE_SPLIT if key in spec}
    return {
        name: {**split, **other} if _of_same_digits(spec, other) else other
        for name, other in spec[kind].items()
    }


def _of_same_digits(*specs: Mapping[str, Any]) -> bool:
    return all(spec["source"] in SAME_DIGITS for spec in specs)


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
        if fault := _fault(kind, *known) or _fault_of_sizes(spec, trained):
            raise InputError(f"{where}.{name}: {fault}")
        # Sets of other classes have no sample of the data set's.
        if kind == SHIFTED:
            _check_split(spec, trained, f"{where}.{name}", dataset)


def _fault_of_sizes(*specs: Mapping[str, Any]) -> str | None:
    """Return what is wrong where both shapes of inputs are known, and differ."""
    shapes = [whole_size(spec).shape for spec in specs]
    if None in shapes or shapes[0] == shapes[1]:
        return None
    return fault_of_shapes(*("×".join(map(str, shape)) for shape in shapes))


def _check_split(
    spec: Mapping[str, Any], trained: Mapping[str, Any], where: str, dataset: str
) -> None:
    """Refuse other test samples of the same digits: some of them are trained on."""
    if not _of_same_digits(spec, trained) or DRAWN in (spec.get("style"), trained.get("style")):
        return
    for key in OF_THE_SPLIT:
        if spec[key] != trained[key]:
            raise InputError(
                f"{where}.{key}: {spec[key]} is another split than that of {dataset}"
                f" ({trained[key]}), so that training samples would be tested on; leave it out"
            )


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
