"""What lies in folders of raw data, and how a change there is noticed.

Snakemake knows files, not what is in folders. No torch is imported here: rules are read whenever
Snakemake plans.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError
from .archives import archive_names, is_archive
from .recordings import rows_of

SPLITS = ("train", "test")
PICTURES = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
# What Pillow may take a file for: not for PostScript, which it would give to another program.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
# A file by its name and, if it is there, its size in bytes and its time in seconds.
Stamp = tuple[str, int | None, int | None]


def visible_files(folder: Path) -> Iterator[tuple[PurePosixPath, os.DirEntry]]:
    """Yield each file below a folder, by its path in it; links are followed.

    Hidden files and folders are skipped: macOS, Jupyter and others put copies there.
    """
    yield from _visible(str(folder), PurePosixPath(), frozenset())


def _visible(
    folder: str, inside: PurePosixPath, above: frozenset[str]
) -> Iterator[tuple[PurePosixPath, os.DirEntry]]:
    place = os.path.realpath(folder)
    # A link to a folder that it is in would have no end.
    if place in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _visible(entry.path, inside / entry.name, above | {place})
            elif entry.is_file():
                yield inside / entry.name, entry


def path_remedy(data_dir: Path, path: str) -> str:
    """Return how to write a path that does not begin in the folder of raw data, or nothing.

    >>> path_remedy(Path("data"), "data/pets")
    'paths begin in data/, so write pets'
    """
    given, start = PurePosixPath(path), PurePosixPath(data_dir)
    if given != start and given.is_relative_to(start) and not given.is_absolute():
        return f"paths begin in {data_dir}/, so write {given.relative_to(start)}"
    if Path(path).exists():
        return f"paths begin in {data_dir}/, so write {Path(path).resolve()}"
    return ""


def is_picture(name: PurePosixPath) -> bool:
    """Return whether a file has the name of a picture."""
    return name.suffix.lower() in PICTURES


def picture_names(path: Path) -> list[PurePosixPath]:
    """Return the names of the pictures in a folder, sorted, or in an archive, in its order.

    Those that are hidden, or in hidden folders, are left out.

    Raises:
        InputError: no readable archive; see `archive_files`.
    """
    if not is_archive(path):
        return sorted(name for name, _ in visible_files(path) if is_picture(name))
    # What macOS packs beside pictures has their names behind a point.
    return [
        name
        for name in archive_names(path)
        if is_picture(name) and not any(part.startswith(".") for part in name.parts)
    ]


def layout(domains: bool = False) -> str:
    """Return in words where pictures lie."""
    inside = "<domain>/<class>/" if domains else "<class>/"
    return f"train/{inside} and test/{inside}"


def split_and_class(name: PurePosixPath, domains: bool = False) -> tuple[str, str] | None:
    """Return the split and the class of a picture in ``…/train/<class>/…``; None for others.

    With ``domains`` that is a picture in ``…/train/<domain>/<class>/…``.
    """
    parts = from_split_on(name).parts
    return (parts[0], parts[1 + domains]) if len(parts) >= 3 + domains else None


def from_split_on(name: PurePosixPath) -> PurePosixPath:
    """Return a path without what lies above its train or test; empty if it has neither.

    >>> from_split_on(PurePosixPath("pets/train/cat/1.png"))
    PurePosixPath('train/cat/1.png')
    """
    start = next((i for i, part in enumerate(name.parts) if part in SPLITS), len(name.parts))
    return PurePosixPath(*name.parts[start:])


def picture_of_test(
    names: Collection[PurePosixPath], domains: bool = False
) -> Callable[[PurePosixPath], str | None]:
    """Return what gives the class of each picture of a test set, None for pictures of none.

    Where there are pictures in ``…/test/<class>/``, those are the set; otherwise all pictures are,
    by the folder that they lie in.
    """

    def tested(name: PurePosixPath) -> str | None:
        split, label = split_and_class(name, domains) or (None, None)
        return label if split == "test" else None

    if any(map(tested, names)):
        return tested
    return lambda name: name.parts[-2] if len(name.parts) > 1 else None


def picture_stamps(folder: Path, test_alone: bool = False) -> Iterator[Stamp]:
    """Yield the stamp of each picture of a folder with ``train/<class>/`` and ``test/<class>/``.

    Of all pictures if it need not have both (``test_alone``).
    """
    for name, entry in visible_files(folder):
        if is_picture(name) and (test_alone or split_and_class(name)):
            yield _stamp(str(name), entry.stat())


def recording_stamps(table: Path, folder: Path) -> Iterator[Stamp]:
    """Yield the stamp of each recording that a table names; none if it names no files.

    What is wrong with the table is told by the job that reads it.
    """
    try:
        (_, header), *rows = rows_of(table.read_bytes(), table)
        column = header.index("filename")
    except (InputError, OSError, ValueError):
        return
    # Rows that are too short, or whose name is empty, are refused by the job.
    for name in filter(None, (cells[column] for _, cells in rows if column < len(cells))):
        try:
            yield _stamp(name, os.stat(folder / name))
        except (OSError, ValueError):
            yield name, None, None


def _stamp(name: str, status: os.stat_result) -> Stamp:
    # Whole seconds: archives and many disks keep no more, so that a copy is not taken for new.
    return name, status.st_size, int(status.st_mtime)


def folder_state(folder: Path, stamps: Iterable[Stamp]) -> dict[str, Any]:
    """Return what changes as soon as a file is added to a folder, changed or removed.

    A file counts by its name, size and time. It is not read, so that a change that keeps all three
    is not noticed.

    Returns:
        ``path`` of the folder, number of ``files`` that are there, and a ``digest`` of them all.
    """
    stamps = sorted(stamps, key=lambda stamp: stamp[0])
    there = sum(size is not None for _, size, _ in stamps)
    text = "".join(f"{name}\0{size}\0{time}\n" for name, size, time in stamps)
    # What a disk holds can be a name without being text.
    digest = sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
    return {"path": str(folder), "files": there, "digest": digest}
