"""Reading and writing files: whole or not at all, and never running what is read."""

import csv
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from filelock import lock_descriptor

from .canonical import canonical_json
from .errors import InputError

# Where documents and metadata keep the SHA-256 of the rest of their content.
HASH_KEY = "content_sha256"
# A file beside a partial one, locked as long as its writer lives.
LIFE_SIGN = ".locked"
# A writer that lives has it within less time, in seconds.
FIRST_SIGN = 10


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path to write to; it becomes ``path`` when the block ends without an exception.

    Each writer has a folder of its own beside ``path``, also for what its libraries put beside
    the file they write, and what killed writers left is removed. OSErrors of the block name
    ``path`` if they name no other file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path)
    folder = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        folder.mkdir()
        with _alive(folder) as sign:
            partial = folder / path.name
            yield partial
            # safetensors keeps its files to their user; this one is as readable as any other.
            shutil.copymode(sign, partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    except OSError as error:
        if error.errno and str(error.filename or folder).startswith(str(folder)):
            error.filename = str(path)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alive(folder: Path) -> Iterator[Path]:
    """Tell others that the writer lives, by a locked file in its folder; yield its path."""
    unlocked, locked = folder / ".new", folder / LIFE_SIGN
    with unlocked.open("xb") as file:
        # Where nothing can be locked, others remove nothing.
        with suppress(OSError):
            lock_descriptor(file.fileno(), blocking=False)
        unlocked.rename(locked)
        yield locked


def remove_abandoned(path: Path) -> None:
    """Remove what killed writers of a path left beside it."""
    for name in os.listdir(path.parent) if path.parent.exists() else []:
        if name.startswith(f".{path.name}.") and name.endswith(".part"):
            folder = path.with_name(name)
            with suppress(OSError):
                if _abandoned(folder):
                    shutil.rmtree(folder)


def _abandoned(folder: Path) -> bool:
    if not (folder / LIFE_SIGN).exists():
        return time.time() - folder.stat().st_mtime > FIRST_SIGN
    with (folder / LIFE_SIGN).open("rb+") as file:
        return lock_descriptor(file.fileno(), blocking=False)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic(path) as partial:
        partial.write_bytes(content)


def write_json(path: str | os.PathLike, document: Mapping[str, Any]) -> None:
    """Write a JSON document with a hash of its content, atomically.

    A NaN or infinity raises ValueError instead of being written.
    """
    described = {**document, HASH_KEY: _document_hash(document)}
    write_text(path, json.dumps(described, indent=2, allow_nan=False) + "\n")


def _document_hash(document: Mapping[str, Any]) -> str:
    # As it will be read: with text for keys, by which it is then sorted.
    read = json.loads(json.dumps(document, allow_nan=False))
    return hashlib.sha256(canonical_json(read).encode()).hexdigest()


def write_rows(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys as CSV, atomically."""
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Read what `write_json` wrote, and return it without its hash.

    Raises InputError naming the file if it cannot be read or does not match its hash.
    """
    with readable(path, "JSON document"):
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        check_hash(document.pop(HASH_KEY, None), _document_hash(document))
    return document


@contextmanager
def readable(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """Raise InputError naming the file for whatever its reader makes of arbitrary bytes."""
    try:
        yield
    # A good file can be too large for the memory; deleting it would not help.
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: not a readable {kind} ({error}); delete it and run again"
        ) from error


def check_hash(found: str | None, expected: str) -> None:
    """Raise ValueError unless the hash in a file is that of its content."""
    if found != expected:
        raise ValueError("its content does not match its hash")
