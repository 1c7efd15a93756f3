"""Archives that were made to do harm are refused, and soon."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from refusals import refused

from minimascope.data import archives
from minimascope.data.archives import archive_files, archive_names


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


KINDS = {
    "symbolic link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "device of characters": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
}


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_in_a_tar_is_refused(tmp_path, kind, suffix):
    path = tar(tmp_path / f"a.{suffix}", member("train/cat/1.png", **KINDS[kind]))
    with refused(str(path), "train/cat/1.png is a link or device"):
        archive_names(path)


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("train/cat/1.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with refused("a.zip: train/cat/1.png is a link or device"):
        read_all(tmp_path / "a.zip")


OUTSIDE = ("a/../../x.png", "/x.png", "C:\\x.png")


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_are_refused_in_every_kind_of_archive(tmp_path, name, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), b"x")
    else:
        tar(path, member(name))
    with refused(str(path), "leads out of the archive"):
        read_all(path)


def test_control_characters_in_a_name_do_not_reach_the_screen(tmp_path):
    path = tar(tmp_path / "a.tar", member("../\x1b[2J\n"))
    with refused("the name '../\\x1b[2J\\n' leads out"):
        archive_names(path)


# Bombs


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_files_that_declare_more_than_the_archive_can_hold_are_refused(
    tmp_path, monkeypatch, suffix
):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 2 * 2**20)
    path, zeros = tmp_path / f"a.{suffix}", bytes(2**18)
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(str(number), zeros)
    else:
        tar(path, *(member(str(n), size=len(zeros)) for n in range(10)), content=zeros)
    assert path.stat().st_size < 20_000
    # A stream is ahead of what it declares.
    text = "8 declares 262,144 bytes, 2,359,296" if suffix == "zip" else "unpacks to more than"
    with refused(str(path), text, memory=2):
        archive_names(path)


def test_a_zip_that_inflates_to_more_than_it_declares_is_refused_before_it_does(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(100 * 2**20))
    content = path.read_bytes()
    declared = struct.pack("<L", 100 * 2**20)
    assert content.count(declared) == 2
    path.write_bytes(content.replace(declared, struct.pack("<L", 100)))
    with refused(str(path), "not a readable archive (Bad CRC-32"):
        read_all(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_bounded_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("x", bytes(2**20))
    with refused("a.zip: x is not packed by 'deflate'; pack it anew"):
        read_all(tmp_path / "a.zip")


def test_a_stream_without_an_end_is_read_only_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 2**20)
    # One folder after another: nothing that declares a size.
    stream = gzip.compress(3000 * member("x/", type=tarfile.DIRTYPE).tobuf())
    (tmp_path / "a.tar.gz").write_bytes(stream)
    assert len(stream) < 10_000
    with refused("a.tar.gz: unpacks to more than an archive of its size can hold", memory=3):
        archive_names(tmp_path / "a.tar.gz")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_without_measure_is_not_read(tmp_path, kind):
    header = member("x", type=kind, size=70 * 2**20).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header + bytes(70 * 2**20), 1))
    with refused("a.tar.gz: not a readable archive (a header of 73,400,320 bytes)"):
        archive_names(tmp_path / "a.tar.gz")


def test_too_many_files_are_refused_and_none_is_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 2_000)
    path = tar(tmp_path / "a.tar.gz", *(member(f"{n}/") for n in range(2_100)))
    with refused("holds more than 2,000 files", memory=3):
        read_all(path)
