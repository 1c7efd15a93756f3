"""Whether the files are there that a study reads. No torch is imported here."""

from collections.abc import Iterator
from pathlib import Path

from ..data.download import space_for_downloads
from ..data.official import OFFICIAL, RemoteFile, official_file
from ..errors import InputError
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
    """Return a line for each of the study's own files that is not there: key, path and remedy."""
    folder = Path(study.config["data_dir"])
    lines = []
    for dataset, spec in study.config["datasets"].items():
        where = f"datasets.{dataset}"
        if spec["source"] == "image_folder":
            lines += _pictures(folder / spec["path"], f"{where}.path")
        elif spec["source"] == "audio_folder":
            table, path = folder / spec["table"], folder / (spec["path"] or "")
            if not table.is_file():
                lines.append(
                    f"{where}.table: {table} does not exist; write a table with the columns"
                    f" {COLUMNS} there, or name another one"
                )
            if spec["path"] and not path.exists():
                lines.append(
                    f"{where}.path: {path} does not exist; put the recordings there, or name"
                    " another folder or archive"
                )
    for network, spec in study.config["networks"].items():
        weights = spec.get("weights")
        if weights and not (folder / weights).is_file():
            lines.append(
                f"networks.{network}.weights: {folder / weights} does not exist; put the file"
                " there, or name another one"
            )
    return lines


def _pictures(path: Path, where: str) -> Iterator[str]:
    layout = "train/<class>/ and test/<class>/"
    if not path.exists():
        yield (
            f"{where}: {path} does not exist; put the pictures there, in {layout}, or name another"
            " folder or archive"
        )
    elif path.is_dir():
        for split in SPLITS:
            if not (path / split).is_dir() and next(path.rglob(split), None) is None:
                yield f"{where}: {path} has no folder '{split}'; sort the pictures into {layout}"


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
        if study.corruption_names(dataset):
            names.append(study.corrupted_set(dataset))
    paths = [path for name in dict.fromkeys(names) for path in official_paths(name, folder)]
    return [official_file(path.name) for path in paths if not path.exists()]


def reads_files(study: Study) -> bool:
    """Return whether the study reads any file of the folder of raw data."""
    specs = study.config["datasets"].values()
    own = any(spec["source"] in ("image_folder", "audio_folder") for spec in specs)
    return own or any(spec["source"] in OFFICIAL for spec in specs)
