"""DCASE 2020 task 1A: TAU Urban Acoustic Scenes 2020 Mobile, development set.

Ten scenes, recorded for ten seconds at a time in ten cities with the devices A, B and C; the
devices S1 to S6 are simulated, and S4 to S6 are in the test fold only (Heittola, Mesaros and
Virtanen 2020).
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .archives import archive_files, archive_names
from .official import DCASE2020
from .recordings import Recording, check, rows_of

META = "meta.csv"
FOLDS = {"train": "evaluation_setup/fold1_train.csv", "test": "evaluation_setup/fold1_evaluate.csv"}
FOLDER = DCASE2020[0].folder
# By its path in the layout, the place that holds a file and its path in there.
Files = Mapping[str, tuple[str, str]]


def load(data_dir: Path) -> tuple[Recording, ...]:
    """Return the training and test recordings of the official set, in its folds' order.

    Reads the unpacked folder in ``data_dir`` or, without unpacking them, the official archives.

    Raises:
        InputError: an archive is missing or damaged, or `read_layout` finds a fault.
    """
    unpacked = Path(data_dir, FOLDER)
    if unpacked.is_dir():
        return read_layout(unpacked)
    files = {}
    for archive in DCASE2020:
        path = Path(data_dir, archive.name)
        if not path.is_file():
            raise InputError(f"{path}: no such archive, nor the folder {FOLDER}; download it")
        for name in archive_names(path):
            files[str(name.relative_to(FOLDER) if name.is_relative_to(FOLDER) else name)] = (
                str(path),
                str(name),
            )
    return _recordings(files, unpacked)


def read_layout(folder: Path) -> tuple[Recording, ...]:
    """Return the training and test recordings of a folder in the official layout.

    It holds ``meta.csv``, ``evaluation_setup/fold1_train.csv`` and ``fold1_evaluate.csv``, with
    tabs between their columns, and ``audio/<scene>-<city>-<location>-<segment>-<device>.wav``.
    Domains are devices, seen if they have training recordings.

    Raises:
        InputError: a table or a recording is missing, a name has other parts, or tables and names
            contradict each other; names the file.
    """
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return _recordings({name: (str(folder), name) for name in names}, folder)


def _recordings(files: Files, origin: Path) -> tuple[Recording, ...]:
    devices = dict(_columns(files, origin, META, {"filename": 0, "source_label": 3}))
    folds = {
        split: _columns(files, origin, table, {"filename": 0, "scene_label": 1})
        for split, table in FOLDS.items()
    }
    seen = {_parts(name, origin)[-1].upper() for name, _ in folds["train"]}
    recordings = []
    for split, rows in folds.items():
        for name, label in rows:
            scene, city, _, _, device = _parts(name, origin)
            said = (label, devices.get(name, device).upper())
            if said != (scene, device.upper()):
                raise InputError(
                    f"{origin}: {name} is listed as scene '{said[0]}' and device '{said[1]}', which"
                    " its name contradicts; replace the tables with whole copies"
                )
            if name not in files:
                raise InputError(
                    f"{origin}: no file {name}, which {FOLDS[split]} lists; use a whole copy"
                )
            place, filename = files[name]
            recordings.append(
                Recording(filename, label, said[1], split, said[1] in seen, place, city)
            )
    return check(recordings, origin)


def _parts(name: str, origin: Path) -> list[str]:
    parts = PurePosixPath(name).stem.split("-")
    if len(parts) != 5 or not all(parts):
        raise InputError(
            f"{origin}: {name} is not named <scene>-<city>-<location>-<segment>-<device>.wav;"
            " rename it, in the tables as well"
        )
    return parts


def _columns(
    files: Files, origin: Path, table: str, columns: dict[str, int]
) -> list[tuple[str, ...]]:
    """Return the cells of columns by their names or, where names differ, by their positions."""
    if table not in files:
        raise InputError(f"{origin}: no file {table}; use a whole copy of the data set")
    (_, header), *rows = rows_of(_content(*files[table]), origin / table, "\t") or [(1, [])]
    places = [
        header.index(name) if name in header else position for name, position in columns.items()
    ]
    for line, cells in rows:
        if len(cells) <= max(places):
            raise InputError(
                f"{origin / table}, line {line}: {len(cells)} cells where {max(places) + 1} were"
                " expected; put tabs between them"
            )
    return [tuple(cells[place] for place in places) for _, cells in rows]


def _content(place: str, filename: str) -> bytes:
    if Path(place).is_dir():
        return Path(place, filename).read_bytes()
    return next(content for _, content in archive_files(place, lambda name: str(name) == filename))
