"""Archives: only what is wanted is read, and those that were made to do harm are refused, soon."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packing import packed
from refusals import refused

from minimascope.data import archives
from minimascope.data.archives import archive_files, archive_names


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.zip"])
def test_only_what_is_wanted_is_read_from_an_archive(tmp_path, name, monkeypatch):
    files = {"x/a.txt": b"a", "x/b.bin": b"b", "x/c.txt": b"c"}
    path, read = packed(tmp_path / name, files), []
    for owner, method in ((tarfile.TarFile, "extractfile"), (zipfile.ZipFile, "open")):
        original = getattr(owner, method)

        def spied(archive, member, original=original):
            read.append(getattr(member, "name", None) or member.filename)
            return original(archive, member)

        monkeypatch.setattr(owner, method, spied)
    found = dict(archive_files(path, lambda file: file.suffix == ".txt"))
    assert found == {PurePosixPath("x/a.txt"): b"a", PurePosixPath("x/c.txt"): b"c"}
    assert read == ["x/a.txt", "x/c.txt"]
    assert list(dict(archive_files(path))) == archive_names(path) == list(map(PurePosixPath, files))


@pytest.mark.parametrize("fault", ["damaged", "encrypted"])
def test_a_zip_whose_files_cannot_be_read_is_named(tmp_path, fault):
    path = packed(tmp_path / "a.zip", {"x": bytes(range(256))})
    content = bytearray(path.read_bytes())
    if fault == "damaged":
        content[39:139] = b"\xff" * 100
    else:
        # bit 0 of the flags of the first file, in its own header and in the index
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with refused("a.zip: not a readable archive"):
        read_all(path)


def read_all(path: Path) -> int:
    return sum(len(content) for _, content in archive_files(path))


def tar(path: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, **attributes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_what_is_no_file_in_a_tar_is_refused(tmp_path, kind):
    path = tar(tmp_path / "a.tar", member("train/cat/1.png", type=kind, linkname="/etc/passwd"))
    with refused(str(path), "'train/cat/1.png' is a link or device"):
        archive_names(path)


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("train/cat/1.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with refused("a.zip: 'train/cat/1.png' is a link or device"):
        read_all(tmp_path / "a.zip")


@pytest.mark.parametrize("suffix", ["tar", "zip"])
@pytest.mark.parametrize("name", ["a/../../x.png", "/x.png", "C:\\x.png", "../\x1b[2J\n"])
def test_names_that_lead_out_are_refused_and_do_not_reach_the_screen(tmp_path, name, suffix):
    path = packed(tmp_path / f"a.{suffix}", {name: b"x"})
    with refused(str(path), "leads out of the archive"):
        read_all(path)


def test_a_file_without_a_name_is_refused(tmp_path):
    with refused("a.tar: '.' is a file without a name"):
        read_all(packed(tmp_path / "a.tar", {".": b"x"}))


# Bombs


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_files_that_declare_more_than_the_archive_can_hold_are_refused(
    tmp_path, monkeypatch, suffix
):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 2 * 2**20)
    path = packed(tmp_path / f"a.{suffix}", {str(number): bytes(2**18) for number in range(10)})
    assert path.stat().st_size < 20_000
    # A stream is ahead of what it declares.
    text = "'8' declares 262,144 bytes, 2,359,296" if suffix == "zip" else "unpacks to more than"
    with refused(str(path), text, memory=2):
        archive_names(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(archives, "LARGEST_FILE", 10)
    with refused(f"{name}: 'x' declares 11 bytes, 21 with those before it: more than"):
        archive_names(packed(tmp_path / name, {"small": bytes(10), "x": bytes(11)}))


def test_a_zip_that_inflates_to_more_than_it_declares_is_refused_before_it_does(tmp_path):
    path = packed(tmp_path / "a.zip", {"x": bytes(100 * 2**20)})
    content = path.read_bytes()
    declared = struct.pack("<L", 100 * 2**20)
    assert content.count(declared) == 2
    path.write_bytes(content.replace(declared, struct.pack("<L", 100)))
    with refused(str(path), "not a readable archive (Bad CRC-32", memory=50):
        read_all(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_bounded_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("x", bytes(2**20))
    with refused("a.zip: 'x' is not packed by 'deflate'; pack it anew"):
        read_all(tmp_path / "a.zip")


def test_a_stream_without_an_end_is_read_only_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 2**20)
    # One folder after another: nothing that declares a size.
    stream = gzip.compress(3000 * member("x/", type=tarfile.DIRTYPE).tobuf())
    (tmp_path / "a.tar.gz").write_bytes(stream)
    assert len(stream) < 10_000
    with refused("a.tar.gz: unpacks to more than an archive of its size can hold", memory=3):
        archive_names(tmp_path / "a.tar.gz")


def test_too_many_files_are_refused_and_none_is_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 2_000)
    path = tar(tmp_path / "a.tar.gz", *(member(f"{n}/") for n in range(2_100)))
    with refused("is one of more than 2,000 files", memory=3):
        read_all(path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_without_measure_is_not_read(tmp_path, kind):
    header = member("x", type=kind, size=70 * 2**20).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header + bytes(70 * 2**20), 1))
    with refused("a.tar.gz: not a readable archive (a header of 73,400,320 bytes)", memory=3):
        archive_names(tmp_path / "a.tar.gz")
