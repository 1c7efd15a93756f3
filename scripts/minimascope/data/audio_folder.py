"""Anyone's recordings: a table, and a folder or an archive with the sounds."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .archives import archive_names, is_archive
from .raw_files import path_remedy
from .recordings import Recording, check, read_table

# Files that macOS adds to archives.
MACOS_FOLDER = "__MACOSX"


def load(
    data_dir: Path, table: str, *, path: str | None, domain_column: str
) -> tuple[Recording, ...]:
    """Return the recordings of a table, in its order.

    Args:
        data_dir: what relative paths are relative to.
        table: a CSV with the columns filename, label, domain, split (train or test), seen (true
            or false) and, if wanted, city.
        path: the folder, or a .tar, .tar.gz, .tgz or .zip file, that holds the sounds; the
            table's folder unless given. In an archive they may lie in one folder.
        domain_column: name of the column that is used as domain.

    Raises:
        InputError: the folder or archive, or a file that the table names, is missing, or the
            table is at fault; see `read_table` and `check`.
    """
    table_path = Path(data_dir, table)
    root = table_path.parent if path is None else Path(data_dir, path)
    if not root.exists():
        remedy = "set 'path' to the one that holds the sounds"
        remedy = path_remedy(data_dir, path or table) or remedy
        raise InputError(f"{root}: no such folder or archive; {remedy}")
    recordings = read_table(table_path, str(root), domain_column)
    located = _in_archive(recordings, root) if is_archive(root) else _in_folder(recordings, root)
    if None in located:
        first = recordings[located.index(None)].filename
        raise InputError(
            f"{root}: no file {first}, which {table_path} names (missing: {located.count(None)} of"
            f" {len(located)}); set 'path' to the folder or archive that holds them, or correct the"
            " column filename"
        )
    found = [
        replace(recording, filename=filename)
        for recording, filename in zip(recordings, located, strict=True)
    ]
    return check(found, table_path)


def _in_folder(recordings: Sequence[Recording], root: Path) -> list[str | None]:
    names = [recording.filename for recording in recordings]
    # Path.is_file fails at names that are longer than any file's.
    return [name if os.path.isfile(root / name) else None for name in names]


def _in_archive(recordings: Sequence[Recording], root: Path) -> list[str | None]:
    names = [name for name in archive_names(root) if name.parts[0] != MACOS_FOLDER]
    located = {}
    if len({name.parts[0] for name in names}) == 1:
        located = {str(PurePosixPath(*name.parts[1:])): str(name) for name in names}
    located |= {str(name): str(name) for name in names}
    return [located.get(recording.filename) for recording in recordings]
