"""Whether a folder can be written to, before anything is. No torch is imported here."""

import os
import shutil
from pathlib import Path

from .errors import InputError


def check_folder(folder: str | os.PathLike) -> None:
    """Raise InputError, naming the folder, if it is read-only or its disk is full.

    A folder that does not exist yet is judged by the one in which it would be made.
    """
    folder = Path(folder).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        raise InputError(
            f"{existing}: nothing can be written here; make it writable, or run in another folder"
            " (--directory)"
        )
    if shutil.disk_usage(existing).free == 0:
        raise InputError(f"{existing}: no space left on its disk; make room and run again")
