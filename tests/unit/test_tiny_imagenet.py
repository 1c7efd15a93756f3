"""Tiny ImageNet's official layout, from small files made here."""

import io

import pytest
import torch
from packing import packed
from PIL import Image

from minimascope.data import tiny_imagenet
from minimascope.errors import InputError

CLASSES = ("n02", "n01")


def jpeg(shade: int, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (64, 64), shade if mode == "L" else (shade,) * 3).save(stream, "JPEG")
    return stream.getvalue()


def files() -> dict[str, bytes]:
    content = {"wnids.txt": "\n".join(CLASSES).encode(), "test/images/test_0.JPEG": jpeg(1)}
    annotations = []
    for index, name in enumerate(CLASSES):
        content[f"train/{name}/{name}_boxes.txt"] = b"box"
        for number in range(2):
            shade = 100 * index + 20 * number + 10
            mode = "L" if number else "RGB"
            content[f"train/{name}/images/{name}_{number}.JPEG"] = jpeg(shade, mode)
        content[f"val/images/val_{index}.JPEG"] = jpeg(200 + index)
        annotations.append(f"val_{index}.JPEG\t{name}\t0\t0\t1\t1\n")
    content["val/val_annotations.txt"] = "".join(annotations).encode()
    return content


def pack(folder, content) -> None:
    files = {f"tiny-imagenet-200/{name}": data for name, data in content.items()}
    packed(folder / "tiny-imagenet-200.zip", files)


def test_validation_pictures_are_the_test_split_under_their_annotated_class(tmp_path):
    pack(tmp_path, files())
    data = tiny_imagenet.load(tmp_path)
    assert data.classes == ("n01", "n02")
    assert data.train.inputs.shape == (4, 3, 64, 64)
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    # n01 is the second of the list, so its pictures are the brighter ones
    assert data.train.inputs[:, 0, 0, 0].tolist() == [110, 130, 10, 30]
    assert data.test.labels.tolist() == [0, 1]
    assert data.test.inputs[:, 0, 0, 0].tolist() == [201, 200]


def test_an_unpacked_folder_gives_the_same_whatever_is_hidden_in_it(tmp_path):
    pack(tmp_path, files())
    from_archive = tiny_imagenet.load(tmp_path)
    beside = {f"{part}/images/.ipynb_checkpoints/a.JPEG": jpeg(9) for part in ("train/n02", "val")}
    packed(tmp_path / "tiny-imagenet-200", files() | beside)
    (tmp_path / "tiny-imagenet-200.zip").unlink()
    unpacked = tiny_imagenet.load(tmp_path)
    for split in ("train", "test"):
        ours, theirs = getattr(from_archive, split), getattr(unpacked, split)
        assert torch.equal(ours.inputs, theirs.inputs)
        assert torch.equal(ours.labels, theirs.labels)


@pytest.mark.parametrize("missing", ["val/val_annotations.txt", "val/images/val_1.JPEG"])
def test_annotations_and_pictures_must_belong_together(tmp_path, missing):
    content = files()
    del content[missing]
    pack(tmp_path, content)
    with pytest.raises(InputError, match=r"tiny-imagenet-200\.zip: val/val_annotations\.txt and"):
        tiny_imagenet.load(tmp_path)
