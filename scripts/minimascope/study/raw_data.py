"""Whether the files are there that a study reads. No torch is imported here."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from ..data import audio_folder
from ..data.archives import SUFFIXES, is_archive
from ..data.download import space_for_downloads
from ..data.official import OFFICIAL, RemoteFile, official_file
from ..data.picture_domains import COLUMNS as COLUMNS_OF_DOMAINS
from ..data.picture_domains import domain_finder, read_domains
from ..data.raw_files import layout, path_remedy, picture_names, split_and_class
from ..data.recordings import Recording, check, read_table
from ..errors import InputError, nearest
from .adopted import FILES
from .corruptions import corrupted_set, corruption_names
from .names import fault_of_name
from .other_sets import faults_of_folders
from .starts import RESULTS, model_path, placed, runs, starts
from .study import Study

SPLITS = ("train", "test")
COLUMNS = "filename,label,domain,split,seen"


def data_lines(study: Study) -> tuple[list[str], list[str]]:
    """Return what is wrong with the files that a study reads, and what is to be downloaded."""
    missing = missing_files(study)
    if not (wanted := downloads(study)):
        return missing, []
    try:
        return missing, [space_for_downloads(wanted, Path(study.config["data_dir"]))]
    except InputError as error:
        return [*missing, str(error)], []


def missing_files(study: Study) -> list[str]:
    """Return a line for each fault of the study's own files: key, path and remedy.

    Their content is left to the jobs, and archives are not opened.
    """
    folder = Path(study.config["data_dir"])
    # Data sets of a sweep share files: a fault of these is told of the first.
    found: dict[tuple[Any, ...], str] = {}
    for dataset, spec in study.config["datasets"].items():
        where, read = f"datasets.{dataset}", READERS.get(spec["source"])
        for line in read(folder, spec, where) if read else ():
            key = spec.get("table"), spec["path"], line.removeprefix(where)
            found.setdefault(key, line)
    lines = [*found.values()]
    for place in study.other_sets:
        path = study.other_spec(*place).get("path")
        if path and not (folder / path).exists():
            remedy = "put the pictures there, or name another folder or archive"
            lines.append(_missing(folder, path, f"datasets.{'.'.join(place)}.path", remedy))
    lines += faults_of_folders(study, folder)
    return [*lines, *_weights(study), *_checkpoints(study, folder)]


def _weights(study: Study) -> Iterator[str]:
    """Yield a line for each key whose files of weights are neither there nor made by the study."""
    made, told = {model_path(study, run) for run in runs(study)}, set()
    for key, path in starts(study):
        if key in told or path in made or Path(placed(path, study.config["data_dir"])).is_file():
            continue
        told.add(key)
        if path.startswith(RESULTS):
            remedy = "run the study that makes it first, or name a network of this one"
            yield f"{key}: {path} does not exist; {remedy}"
        else:
            remedy = "put the file there, or name another one"
            yield _missing(Path(study.config["data_dir"]), path, key, remedy)


def _checkpoints(study: Study, folder: Path) -> Iterator[str]:
    """Yield a line for each adopted condition some of whose files are not there."""
    for condition, key in product(study.adopted_conditions, FILES):
        wanted = (
            study.adopted_file(
                key, dataset=dataset, network=network, condition=condition, seed=seed
            )
            for (dataset, network), seed in product(study.pairs, study.seeds)
        )
        named = dict.fromkeys(filter(None, wanted))
        missing = [path for path in named if not (folder / path).is_file()]
        if missing:
            more = f" (and {len(missing) - 1} more of {len(named)})" if missing[1:] else ""
            remedy = f"put the files there, or name others{more}"
            yield _missing(folder, missing[0], f"conditions.{condition}.{key}", remedy)


def _missing(folder: Path, path: str, where: str, remedy: str) -> str:
    return f"{where}: {folder / path} does not exist; {path_remedy(folder, path) or remedy}"


def _recordings(folder: Path, spec: Mapping[str, Any], where: str) -> Iterator[str]:
    table, place = folder / spec["table"], folder / (spec["path"] or "")
    if not table.is_file():
        remedy = f"write a table with the columns {COLUMNS} there, or name another one"
        yield _missing(folder, spec["table"], f"{where}.table", remedy)
    if spec["path"] and not place.exists():
        remedy = "put the recordings there, or name another folder or archive"
        yield _missing(folder, spec["path"], f"{where}.path", remedy)
    elif table.is_file():
        column = spec["domain_column"]
        try:
            if is_archive(place):
                check(read_table(table, str(place), column), table)
            else:
                audio_folder.load(folder, spec["table"], path=spec["path"], domain_column=column)
        except InputError as error:
            yield f"{where}: {error}"
            return
        rows = read_table(table, str(place), column)
        yield from _domains(rows, spec["train_domains"] or (), where)


def _domains(rows: Iterable[Recording], names: Iterable[str], where: str) -> Iterator[str]:
    """Yield a line for each domain to train on that has no training recording."""
    there = {row.domain for row in rows if row.split == "train"}
    yield from _no_training(there, names, where, "recording")


def _no_training(
    there: Iterable[str], names: Iterable[str], where: str, what: str = "picture"
) -> Iterator[str]:
    for name in map(str, names):
        if name not in there:
            yield (
                f"{where}.train_domains: no training {what} of domain {name!r};"
                f" {nearest(name, there)}"
            )


def _pictures(folder: Path, spec: Mapping[str, Any], where: str) -> Iterator[str]:
    path, in_folders = folder / spec["path"], spec["domains"] is True
    if not path.exists():
        inside = layout(in_folders)
        remedy = f"put the pictures there, in {inside}, or name another folder or archive"
        yield _missing(folder, spec["path"], f"{where}.path", remedy)
    elif not path.is_dir() and not is_archive(path):
        kinds = ", ".join(SUFFIXES)
        yield f"{where}.path: {path} is neither a folder nor a {kinds} archive; name one"
    elif path.is_dir():
        places = (split_and_class(name, in_folders) for name in picture_names(path))
        faults = faults_of_classes(filter(None, places), path, in_folders)
        yield from (f"{where}.path: {fault}" for fault in faults)
    if spec["domains"]:
        yield from _picture_domains(folder, spec, where)


def _picture_domains(folder: Path, spec: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield a line for each fault of a table of domains, and of the domains to train on."""
    domains = spec["domains"]
    if domains is not True and not (folder / domains).is_file():
        columns = ",".join(COLUMNS_OF_DOMAINS)
        remedy = f"write a table with the columns {columns} there, or name another one"
        yield _missing(folder, domains, f"{where}.domains", remedy)
        return
    try:
        there = _trained_domains(folder, folder / spec["path"], domains)
    except InputError as error:
        yield f"{where}.domains: {error}"
        return
    if there is not None:
        yield from _no_training(there, spec["train_domains"] or (), where)


def _trained_domains(folder: Path, path: Path, domains: bool | str) -> set[str] | None:
    """Return the domains that have training pictures; None if only an archive tells."""
    if path.is_dir():
        domain_of = domain_finder(domains, folder, path)
        placed = ((split_and_class(name, domains is True), name) for name in picture_names(path))
        return {domain_of(name) for place, name in placed if place and place[0] == "train"}
    if domains is True:
        return None
    listed = read_domains(folder / domains)
    return {domain for name, domain in listed.items() if name.parts[0] == "train"}


# What looks at the files of a data set, by its source.
READERS = {"image_folder": _pictures, "audio_folder": _recordings}


def faults_of_classes(
    places: Iterable[tuple[str, str]], path: Path, domains: bool = False
) -> Iterator[str]:
    """Yield a line for each fault of the classes of pictures.

    Args:
        places: (split, class) of each picture.
        path: the folder or archive that holds them.
        domains: whether folders of domains lie between splits and classes.
    """
    classes: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split, label in places:
        classes[split].add(label)
    if lacking := [split for split in SPLITS if not classes[split]]:
        inside = "<domain>/<class>/" if domains else "<class>/"
        names = " or ".join(f"{split}/{inside}" for split in lacking)
        yield f"{path} has no pictures in {names}; sort them into {layout(domains)}"
        return
    for split, other in (SPLITS, SPLITS[::-1]):
        for label in sorted(classes[split] - classes[other]):
            yield (
                f"class {label!r} has pictures in {split} and none in {other}; add some to"
                f" {path / other / ('<domain>' * domains) / label}, or remove it from {split}"
            )
    for label in sorted(classes["train"] | classes["test"]):
        if fault := fault_of_name(label):
            yield f"{path}: class {label!r} {fault}; rename its folders"


def official_paths(name: str, folder: Path) -> list[Path]:
    """Return the official archives of a source or corrupted set in a folder, none for others.

    Where what they unpack to lies there, that takes their place.
    """
    files = OFFICIAL.get(name, ())
    unpacked = {folder / file.folder for file in files}
    if all(path.is_dir() for path in unpacked):
        return list(unpacked)
    return [folder / file.name for file in files]


def downloads(study: Study) -> list[RemoteFile]:
    """Return the official archives that a run would download first."""
    folder = Path(study.config["data_dir"])
    names = []
    for dataset, spec in study.config["datasets"].items():
        names.append(spec["source"])
        if corruption_names(study, dataset):
            names.append(corrupted_set(study, dataset))
    names += [study.other_spec(*place)["source"] for place in study.other_sets]
    paths = [path for name in dict.fromkeys(names) for path in official_paths(name, folder)]
    return [official_file(path.name) for path in paths if not path.exists()]


def reads_files(study: Study) -> bool:
    """Return whether the study reads any file of the folder of raw data."""
    specs = [*study.config["datasets"].values()]
    specs += [study.other_spec(*place) for place in study.other_sets]
    own = any(spec["source"] in ("image_folder", "audio_folder") for spec in specs)
    return own or bool(study.adopted) or any(spec["source"] in OFFICIAL for spec in specs)
