"""Downloading official archives: several mirrors, continued after an interruption, checked."""

import errno
import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO
from urllib.request import Request, urlopen

from filelock import lock_descriptor

from ..errors import InputError
from ..jobs.progress import progress
from .official import RemoteFile

CHUNK, UNIT = 2**20, "MiB"
TIMEOUT = 60  # seconds without a byte
PARTIAL_CONTENT = 206
# Faults of this machine's disk, which no other mirror would mend.
DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def space_for_downloads(files: Sequence[RemoteFile], folder: Path) -> str:
    """Return a sentence about how much is to be downloaded to a folder.

    The part that an interrupted download left there counts as done.

    Raises:
        InputError: the folder's disk has no room for it.
    """
    partials = (_partial(folder / file.name) for file in files)
    done = sum(partial.stat().st_size for partial in partials if partial.exists())
    size = sum(file.size for file in files) - done
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < size:
        raise InputError(
            f"data_dir: {folder} has {free / 1e9:.1f} GB of free space, and {size / 1e9:.1f} GB"
            f" ({len(files)} files) are to be downloaded to it; name a folder on a larger disk"
        )
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    return (
        f"{size / 1e9:.1f} GB ({count}) are to be downloaded to {folder}, which has"
        f" {free / 1e9:.1f} GB of free space"
    )


def download(file: RemoteFile, target: str | PathLike) -> None:
    """Download a file to ``target``, which appears only whole and with the right checksum.

    The part of an interrupted download lies beside the target and is continued, also from
    another mirror.

    Raises:
        InputError: no mirror gave the whole file with its checksum; names the file, each mirror's
            fault and where to put a copy from elsewhere.
        OSError: the disk is full or read-only; what was fetched stays.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial, faults = _partial(target), []
    with partial.open("a+b", buffering=0) as stream:
        # A second download of the same file waits for the first. Some disks have no locks.
        with suppress(OSError):
            lock_descriptor(stream.fileno())
        if not _is_at(partial, stream):
            # The first has made the file, or no mirror gave it anything.
            return None if target.exists() else download(file, target)
        for url in file.urls:
            try:
                _fetch(url, stream, file.size)
                _verify(stream, file.checksum)
            except (OSError, InputError) as error:
                if getattr(error, "errno", None) in DISK_FAULTS:
                    raise OSError(error.errno, error.strerror, str(target)) from error
                faults.append(f"{url}: {error}")
            else:
                os.replace(partial, target)
                return None
        if not _size(stream):
            partial.unlink()
    raise InputError(
        f"{target}: no mirror gave this file ({'; '.join(faults)}); run again to continue, or put"
        " a copy there yourself"
    )


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _is_at(path: Path, stream: BinaryIO) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    return False


def _size(stream: BinaryIO) -> int:
    return os.fstat(stream.fileno()).st_size


def _verify(stream: BinaryIO, checksum: str) -> None:
    """Raise InputError, and empty the file, unless it has the checksum ``algorithm:digest``."""
    algorithm, _, expected = checksum.partition(":")
    stream.seek(0)
    found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != expected:
        stream.truncate(0)
        raise InputError(f"its {algorithm} is {found} where {expected} was expected")


def _fetch(url: str, stream: BinaryIO, size: int) -> None:
    """Append what is missing of a file; start again if a server cannot continue."""
    done = _size(stream)
    if done == size:
        return
    request = Request(url, headers={"Range": f"bytes={done}-"} if 0 < done < size else {})
    with urlopen(request, timeout=TIMEOUT) as response:
        start = done if response.status == PARTIAL_CONTENT else 0
        stream.truncate(start)
        done, total = start // CHUNK, -(-size // CHUNK)
        chunks = iter(lambda: response.read(CHUNK), b"")
        for chunk in progress(chunks, url, UNIT, done, total):
            # On a full disk, what fits is written before the error is raised.
            left = chunk
            while left:
                left = left[stream.write(left) :]
    if _size(stream) < size:
        raise InputError(f"the connection ended after {_size(stream):,} of {size:,} bytes")
