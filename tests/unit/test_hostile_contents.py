"""Pictures, sounds, arrays and batches that were made to do harm are refused, and soon."""

import io
import pickle
import struct
import zlib

import numpy as np
import pytest
import soundfile
from refusals import MakesFolder, refused

from minimascope.data import cifar, sound
from minimascope.data.corruptions.published import _arrays
from minimascope.data.pictures import Picture, decoded_picture


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
    "a program": (POSTSCRIPT, "not a readable picture"),
}


@pytest.mark.parametrize("fault", PICTURES)
def test_a_hostile_picture_is_refused(tmp_path, fault):
    content, message = PICTURES[fault]
    with refused("1.png", message, memory=50):
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
    with refused("x.flac: is silent: all of its samples are the same"):  # it is decoded
        sound.read_sound(flac_of(8000), "x.flac")
    with refused("x.flac: declares 68,719,476,735 samples", "cut it", memory=50):
        sound.read_sound(flac_of(2**36 - 1), "x.flac")


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HEADERS = {
    "a petabyte": "{'descr': '|u1', 'fortran_order': False, 'shape': (1125899906842624,)}",
    "a call": "__import__('os').system('true')",
}


@pytest.mark.parametrize("fault", HEADERS)
def test_an_array_with_a_hostile_header_is_refused(tmp_path, fault):
    (tmp_path / "fog.npy").write_bytes(npy(HEADERS[fault]) + bytes(100))
    with refused("fog.npy is not an array"):
        _arrays(tmp_path, {"fog.npy"})


def test_an_array_of_objects_runs_no_code(tmp_path):
    np.save(tmp_path / "fog.npy", np.array([MakesFolder(tmp_path / "ran")], dtype=object))
    with refused("fog.npy is not an array"):
        _arrays(tmp_path, {"fog.npy"})
    assert not (tmp_path / "ran").exists()


# CIFAR's batches are pickles


def test_a_batch_of_cifar_runs_no_code(tmp_path):
    marker = tmp_path / "ran"
    content = pickle.dumps({b"data": MakesFolder(marker), b"labels": [0]})
    with refused("somewhere", "it wants to run posix.mkdir"):
        cifar._decoded(content, "somewhere")
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists()  # so it would have run


BATCHES = {
    "announces eight gigabytes": b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"x.",
    "an array of a petabyte": (
        b"\x80\x02cnumpy\nndarray\nK\x01\x8a\x08" + struct.pack("<Q", 2**50) + b"\x85\x86R."
    ),
    "remembers more than it holds": b"\x80\x02Nr" + struct.pack("<L", 2**31) + b".",
    "names what is allowed": b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93)R.",
    "sets what cannot be set": b"\x80\x02]}X\x01\x00\x00\x00ab.b.",
}


@pytest.mark.parametrize("fault", BATCHES)
def test_a_hostile_batch_of_cifar_is_refused(fault):
    with refused("x: not a batch of the official archive", memory=50):
        cifar._decoded(BATCHES[fault], "x")
