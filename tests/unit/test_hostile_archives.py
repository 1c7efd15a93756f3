"""Archives, pictures and sounds that were made to do harm are refused, and soon."""

import gzip
import io
import math
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from minimascope.data import archives, cifar, image_folder, sound
from minimascope.data.archives import archive_files, archive_names
from minimascope.data.corrupted_sets import _arrays
from minimascope.data.pictures import Picture, decoded_picture
from minimascope.data.tiny_imagenet import load as load_tiny_imagenet
from minimascope.errors import InputError

MEGABYTE = 2**20


@contextmanager
def refused(*texts: str, memory: float = 50):
    """Expect one line that holds these texts, for no more than these megabytes of memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            yield
        peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert all(text in message for text in texts), message
    assert message.isprintable()
    assert peak < memory


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
    "hard link": {"type": tarfile.LNKTYPE, "linkname": "../../etc/passwd"},
    "device of characters": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
    "device of blocks": {"type": tarfile.BLKTYPE},
    "pipe": {"type": tarfile.FIFOTYPE},
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


OUTSIDE = ("../x.png", "a/../../x.png", "/x.png", "//x.png", "C:\\x.png", "a\\..\\..\\x.png")


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


@pytest.mark.parametrize("name", [".", "./"])
def test_a_file_without_a_name_is_refused_and_the_folder_itself_is_not(tmp_path, name):
    with refused("a.tar: holds a file without a name"):
        archive_names(tar(tmp_path / "a.tar", member(name)))
    assert not archive_names(tar(tmp_path / "b.tar", member(name, type=tarfile.DIRTYPE)))


def test_control_characters_in_a_name_do_not_reach_the_screen(tmp_path):
    path = tar(tmp_path / "a.tar", member("../\x1b[2J\n"))
    with refused("the name '../\\x1b[2J\\n' leads out"):
        archive_names(path)


# Bombs


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_files_that_declare_more_than_the_archive_can_hold_are_refused(
    tmp_path, monkeypatch, suffix
):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 2 * MEGABYTE)
    path, zeros = tmp_path / f"a.{suffix}", bytes(MEGABYTE // 4)
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


def test_a_sparse_file_counts_with_the_bytes_that_it_stands_for(tmp_path):
    path = tar(tmp_path / "a.tar", member("x"))
    header = bytearray(path.read_bytes())
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[257:265] = b"ustar  \0"
    header[483:495] = b"%011o\0" % (3 * 2**30)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    path.write_bytes(header)
    with refused("a.tar: x declares 3,221,225,472 bytes"):
        read_all(path)


def test_a_zip_that_inflates_to_more_than_it_declares_is_refused_before_it_does(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(100 * MEGABYTE))
    content = path.read_bytes()
    declared = struct.pack("<L", 100 * MEGABYTE)
    assert content.count(declared) == 2
    path.write_bytes(content.replace(declared, struct.pack("<L", 100)))
    with refused(str(path), "not a readable archive (Bad CRC-32"):
        read_all(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_bounded_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("x", bytes(MEGABYTE))
    with refused("a.zip: x is not packed by 'deflate'; pack it anew"):
        read_all(tmp_path / "a.zip")


def test_a_zip_whose_files_share_their_bytes_counts_these_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 2 * MEGABYTE)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(MEGABYTE))
        archive.filelist *= 20  # twenty entries of the directory, one place
    with refused("a.zip", "1,048,576 bytes, 3,145,728 with those before it", memory=10):
        read_all(tmp_path / "a.zip")


def test_a_stream_without_an_end_is_read_only_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", MEGABYTE)
    # One folder after another: nothing that declares a size.
    stream = gzip.compress(3000 * member("x/", type=tarfile.DIRTYPE).tobuf())
    (tmp_path / "a.tar.gz").write_bytes(stream)
    assert len(stream) < 10_000
    with refused("a.tar.gz: unpacks to more than an archive of its size can hold", memory=3):
        archive_names(tmp_path / "a.tar.gz")


def test_headers_of_headers_without_an_end_are_refused(tmp_path):
    comment = tarfile.TarInfo.create_pax_global_header({"comment": "x"})
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(3000 * comment))
    with refused("a.tar.gz: not a readable archive"):
        archive_names(tmp_path / "a.tar.gz")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_without_measure_is_not_read(tmp_path, kind):
    header = member("x", type=kind, size=70 * MEGABYTE).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header + bytes(70 * MEGABYTE), 1))
    with refused("a.tar.gz: not a readable archive (a header of 73,400,320 bytes)"):
        archive_names(tmp_path / "a.tar.gz")


def test_too_many_files_are_refused_and_none_is_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 2_000)
    path = tar(tmp_path / "a.tar.gz", *(member(f"{n}/") for n in range(2_100)))
    with refused("holds more than 2,000 files", memory=3):
        read_all(path)


def test_archives_in_archives_are_left_alone(tmp_path):
    inner = tar(tmp_path / "inner.tar", member("train/cat/1.png"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(inner, "train/cat/inner.tar")
    with refused("no folder with one folder of pictures per class"):
        image_folder.load(tmp_path, "a.zip")


def test_a_zip_that_asks_for_a_password_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", b"x" * 100)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with refused("a.zip: not a readable archive", "password"):
        read_all(tmp_path / "a.zip")


# What the readers make of files


def test_annotations_that_are_no_table_are_refused(tmp_path):
    folder = tmp_path / "tiny-imagenet-200"
    (folder / "val" / "images").mkdir(parents=True)
    (folder / "train" / "n1" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(folder / "train" / "n1" / "images" / "0.png")
    Image.new("RGB", (64, 64)).save(folder / "val" / "images" / "v.png")
    for content in (b"v.png n1\n", b"\xff\xfe\t\n"):
        (folder / "val" / "val_annotations.txt").write_bytes(content)
        with refused("val_annotations.txt"):
            load_tiny_imagenet(tmp_path)


def png(width: int, height: int) -> bytes:
    """Return a picture that declares a size and has no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">L", zlib.crc32(kind + content))
        return struct.pack(">L", len(content)) + kind + content + check

    size = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
(it ran) print
"""
PICTURES = {
    "fifty thousand pixels square": (png(50_000, 50_000), "decompression bomb"),
    "wider than any memory": (png(2**31 - 1, 1), "1.png: not a readable picture"),
    "no pixels": (png(0, 0), "1.png: not a readable picture"),
    "a program": (POSTSCRIPT, "cannot identify image file"),
    "a broken chunk": (png(8, 8)[:40] + b"\xff" * 30, "1.png: not a readable picture"),
}


@pytest.mark.parametrize("fault", PICTURES)
def test_a_hostile_picture_is_refused(tmp_path, fault):
    content, message = PICTURES[fault]
    with refused("1.png", message):
        decoded_picture(Picture("train", "cat", "1.png", content), tmp_path)


def flac_of(samples: int) -> bytes:
    """Return a FLAC file of a second that declares so many samples."""
    stream = io.BytesIO()
    soundfile.write(stream, np.full(8000, 0.1), 8000, format="FLAC")
    content = bytearray(stream.getvalue())
    # 36 bits at the end of the 18th to 25th byte of the file.
    (word,) = struct.unpack(">Q", content[18:26])
    content[18:26] = struct.pack(">Q", (word & ~(2**36 - 1)) | samples)
    return bytes(content)


def test_a_sound_that_declares_an_absurd_length_is_refused():
    assert len(sound.read_sound(flac_of(8000), "x.flac")[0]) == 8000
    with refused("x.flac: declares 68,719,476,735 samples", "cut it"):
        sound.read_sound(flac_of(2**36 - 1), "x.flac")


def test_a_wav_that_declares_more_than_it_holds_gives_what_it_holds_or_nothing():
    stream = io.BytesIO()
    soundfile.write(stream, np.full(8000, 0.1), 8000, format="WAV")
    content = bytearray(stream.getvalue())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<L", 2**32 - 2)
    content[4:8] = struct.pack("<L", 2**32 - 1)
    samples, _ = sound.read_sound(bytes(content), "x.wav")
    assert len(samples) == 8000


def test_a_file_of_nothing_but_samples_is_refused(tmp_path):
    (tmp_path / "x.raw").write_bytes(bytes(1000))
    with refused("x.raw: cannot be decoded"):
        sound.read_sound(tmp_path / "x.raw", "x.raw")


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HEADERS = {
    "a petabyte": "{'descr': '|u1', 'fortran_order': False, 'shape': (1125899906842624,)}",
    "a product that overflows": "{'descr': '|u1', 'fortran_order': False, 'shape': (2**40, 2)}",
    "more than any index": f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**62}, 9)}}",
    "a negative side": "{'descr': '|u1', 'fortran_order': False, 'shape': (-5, 3)}",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "no mapping": "[[[[[",
    "a call": "__import__('os').system('true')",
    "an unknown type": "{'descr': 'zzz', 'fortran_order': False, 'shape': (1,)}",
}


@pytest.mark.parametrize("fault", HEADERS)
def test_an_array_with_a_hostile_header_is_refused(tmp_path, fault):
    (tmp_path / "fog.npy").write_bytes(npy(HEADERS[fault]) + bytes(100))
    # What is announced counts here, though none of it is ever touched.
    with refused("fog.npy is no array", memory=math.inf):
        _arrays(tmp_path, {"fog.npy"})


# CIFAR's batches are pickles


class Run:
    """A pickle that runs something with an argument."""

    def __init__(self, function: Callable, argument: str):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


def marker_pickles(marker: Path) -> dict[str, bytes]:
    """Return pickles that make a file when they are loaded as pickles usually are."""
    import os
    import subprocess

    command = f"touch {marker}"
    return {
        "os.system": pickle.dumps(Run(os.system, command)),
        "subprocess": pickle.dumps(Run(subprocess.getoutput, command)),
        "eval": pickle.dumps(Run(eval, f"__import__('os').system({command!r})")),
        "protocol 0": b"cos\nsystem\n(V" + command.encode() + b"\ntR.",
        "by attributes of what is allowed": (
            b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93)R."
        ),
        "within a batch": pickle.dumps({b"data": Run(os.system, command), b"labels": [0]}),
    }


@pytest.mark.parametrize("kind", marker_pickles(Path("x")))
def test_a_batch_of_cifar_runs_no_code(tmp_path, kind):
    marker = tmp_path / "it ran".replace(" ", "_")
    content = marker_pickles(marker)[kind]
    with refused("somewhere", "wants to run"):
        cifar._decoded(content, "somewhere")
    assert not marker.exists()
    if "attributes" not in kind:
        pickle.loads(content)
        assert marker.exists()  # so it would have run


BATCHES = {
    "announces eight gigabytes": b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"x.",
    "announces more than there is": b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "remembers at a far place": b"\x80\x02]r\xff\xff\xff\x7f.",
    "nests without end": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
    "an array of a petabyte": (
        b"\x80\x02cnumpy\nndarray\nK\x01\x8a\x08" + struct.pack("<Q", 2**50) + b"\x85\x86R."
    ),
    "sets what cannot be set": b"\x80\x02]}X\x01\x00\x00\x00ab.b.",
    "nothing": b"",
}


@pytest.mark.parametrize("fault", BATCHES)
def test_a_hostile_batch_of_cifar_is_refused(fault):
    if fault == "remembers at a far place":
        assert cifar._decoded(BATCHES[fault], "x") == []  # at no cost
    elif fault == "nests without end":
        assert isinstance(cifar._decoded(BATCHES[fault], "x"), tuple)
    else:
        with refused("x: not a batch of the official archive"):
            cifar._decoded(BATCHES[fault], "x")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"labels": ["0"]}, "'labels' is no list of labels"),
        ({"labels": np.zeros(1)}, "'labels' is no list of labels"),
        ({"labels": [2**70]}, "'labels' is no list of labels"),
        ({"data": [[0] * 3072]}, "'data' is no array"),
        ({"data": np.zeros((1, 3072), dtype=object)}, "not rows of 3,072 pixels"),
    ],
)
def test_entries_of_other_kinds_are_refused(files, message):
    batch = {"data": np.zeros((1, 3072), dtype=np.uint8), "labels": [0]} | files
    with refused("data_batch_1", message):
        cifar._split(
            {"data_batch_1": {key.encode(): value for key, value in batch.items()}},
            "data_batch_1",
            "labels",
        )
