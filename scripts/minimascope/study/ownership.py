"""Which file's results a folder holds, so that two studies of one name do not replace each other.

Read whenever Snakemake runs a study; no torch is imported here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError


def claim(note: Path, study: Path) -> None:
    """Write into a note which file the results beside it belong to.

    Args:
        note: says whose the results are; there once the study has run.
        study: the file of the study that is about to run.

    Raises:
        InputError: another file, which is still there, holds another study of the same name.
    """
    if note.exists():
        owner = Path(note.read_text(encoding="utf-8").strip())
        if not (owner.exists() and owner.samefile(study)) and _collide(_read(owner), _read(study)):
            raise InputError(
                f"study: {owner} has this name, too, and the results are its own; rename one of the"
                f" two, or delete {note} to replace them with those of {study}"
            )
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{study}\n", encoding="utf-8")


def _collide(this: Mapping[str, Any], that: Mapping[str, Any]) -> bool:
    """Return whether two different studies have one name; some disks take `A` for `a`."""
    names = {str(study.get("study")).casefold() for study in (this, that)}
    return len(names) == 1 and this != that


def _read(study: Path) -> Mapping[str, Any]:
    """Return the content of a file, nothing if it is gone or no study any more."""
    try:
        content = yaml.safe_load(study.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, Mapping) else {}
