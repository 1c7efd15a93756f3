"""Files inside archives, read one after the other: nothing is unpacked, nothing is trusted."""

import gzip
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import InputError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
# Anything beyond these counts as a bomb: bytes of one file, number of files, and bytes of all
# files where these are more than so many times the archive's own.
LARGEST_FILE = 4 * 2**30
MOST_FILES = 5_000_000
LARGEST_UNPACKED = 2**28
LARGEST_RATIO = 100
# What tarfile reads at once to learn a member's name and the like, and how long that may be.
HEADERS = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}
LARGEST_HEADER = 2**20
TOO_MUCH = "more than an archive of its size can hold; replace it with a whole copy"
LINK = "is a link or device; pack plain files only"
# zipfile raises RuntimeError for encrypted files, and both several kinds for damaged headers.
UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, OverflowError, struct.error, zlib.error),
    *(tarfile.TarError, zipfile.BadZipFile),
)
# What reads a file while its archive is at it; None for a folder.
Read = Callable[[], bytes] | None


def is_archive(path: str | PathLike) -> bool:
    """Return whether a path has the name of an archive that can be read."""
    return str(path).endswith(SUFFIXES)


def archive_files(
    path: str | PathLike, wanted: Callable[[PurePosixPath], bool] | None = None
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield (name, content) of each file in an archive, in the archive's order.

    A gzipped tar is read once from front to back, since jumping back would start again.

    Args:
        path: a .tar, .tar.gz, .tgz or .zip file.
        wanted: whether a file of this name is to be read; all are unless given.

    Raises:
        InputError: no readable archive, a name that leads out of it, a link or device, or more
            than the limits, declared or not.
    """
    with _readable(path):
        for name, read in _members(Path(path)):
            if wanted is None or wanted(name):
                yield name, read()


def archive_names(path: str | PathLike) -> list[PurePosixPath]:
    """Return the names of an archive's files, in its order; raises what `archive_files` does."""
    with _readable(path):
        return [name for name, _ in _members(Path(path))]


@contextmanager
def _readable(path: str | PathLike) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{path}: not a readable archive ({error}); replace it with a whole copy"
        ) from error


def _members(path: Path) -> Iterator[tuple[PurePosixPath, Callable[[], bytes]]]:
    total = 0
    found = _zip_members(path) if path.suffix == ".zip" else _tar_members(path)
    for number, (text, size, fault, read) in enumerate(found):
        name = PurePosixPath(text)
        # Content packed in several places of the archive counts each time.
        total += size
        if name.is_absolute() or ".." in name.parts or "\\" in text:
            fault = "leads out of the archive; pack it anew"
        elif read and not name.parts:
            fault = "is a file without a name; pack it anew"
        elif number == MOST_FILES:
            fault = f"is one of more than {MOST_FILES:,} files; pack fewer into one archive"
        elif size > LARGEST_FILE or total > _most_bytes(path):
            fault = f"declares {size:,} bytes, {total:,} with those before it: {TOO_MUCH}"
        if fault:
            raise InputError(f"{path}: {text!r} {fault}")
        if read:
            yield name, read


def _tar_members(path: Path) -> Iterator[tuple[str, int, str | None, Read]]:
    """Yield (name, declared bytes, fault of its kind, what reads it) of each member."""
    plain = path.suffix == ".tar"
    # Unwanted members of a plain tar are skipped.
    with (
        nullcontext() if plain else _Inflated(path) as stream,
        tarfile.open(path, "r:" if plain else "r|", stream, tarinfo=_Member) as archive,
    ):
        for member in archive:
            # It keeps all members that it has seen, which nobody needs.
            archive.members.clear()
            fault = None if member.isfile() or member.isdir() else LINK
            read = None if member.isdir() else partial(_read_member, archive, member)
            yield member.name, member.size, fault, read
        # The checksum of all is behind the last file, where tarfile does not look.
        while stream and stream.read(2**20):
            pass


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return archive.extractfile(member).read()


def _zip_members(path: Path) -> Iterator[tuple[str, int, str | None, Read]]:
    """Yield what `_tar_members` does."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            fault = LINK if stat.S_ISLNK(member.external_attr >> 16) else None
            # With other methods zipfile unpacks more than was asked for.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                fault = "is not packed by 'deflate'; pack it anew"
            read = None if member.is_dir() else partial(_read_zipped, archive, member)
            yield member.filename, member.file_size, fault, read


def _read_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        # One byte more than declared; without a number it would inflate all there is.
        return file.read(member.file_size + 1)


class _Member(tarfile.TarInfo):
    """A member of a tar whose own header is short."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_Member":
        """Read a header; raise tarfile.ReadError if it announces another one without measure."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in HEADERS and member.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes")
        return member


class _Inflated(gzip.GzipFile):
    """The content of a gzip file, unless it is a bomb: headers and padding count, too."""

    def __init__(self, path: Path):
        super().__init__(path, "rb")
        self._path, self._bytes = path, 0

    def read(self, size: int | None = -1) -> bytes:
        """Read a number of bytes; raise InputError if that is more than the archive can hold."""
        content = super().read(size)
        self._bytes += len(content)
        if self._bytes > _most_bytes(self._path):
            raise InputError(f"{self._path}: unpacks to {TOO_MUCH}")
        return content


def _most_bytes(path: Path) -> int:
    return max(LARGEST_UNPACKED, LARGEST_RATIO * path.stat().st_size)
