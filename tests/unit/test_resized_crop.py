"""Crops of random size against torchvision."""

import math

import pytest
import torch
from scipy.stats import binomtest, ks_2samp
from torchvision.transforms import RandomResizedCrop, functional

from minimascope.data import augment as module
from minimascope.data.augment import Augmentation, augment, draw_boxes, resize_crops
from minimascope.errors import InputError
from minimascope.seeding import generator

DRAWS = 4000


def pictures(n, height, width, dtype=torch.uint8, channels=3):
    draws = generator("pictures")
    return torch.randint(0, 256, (n, channels, height, width), generator=draws).to(dtype)


def some_boxes(n, height, width):
    """Boxes of every kind, among them the whole image, single pixels, rows and columns."""
    edges = [(0, 0, height, width), (height - 1, width - 1, 1, 1), (0, 0, 1, 1)]
    edges += [(1, 0, 1, width), (0, 2, height, 1)]
    drawn = draw_boxes(n - len(edges), height, width, 0.05, generator("boxes"))
    return torch.cat([torch.tensor(edges).T, drawn], dim=1)


# --- pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_resized_crops_are_torchvisions(dtype, size, antialias):
    images, boxes = pictures(60, *size, dtype), some_boxes(60, *size)
    flips = torch.arange(60) % 3 == 0
    result = resize_crops(images, boxes, flips)
    assert result.dtype == dtype
    assert result.shape == images.shape
    for image, box, flip, ours in zip(images, boxes.T.tolist(), flips, result, strict=True):
        expected = functional.resized_crop(image, *box, list(size), antialias=antialias)
        expected = functional.hflip(expected) if flip else expected
        difference = (ours.double() - expected.double()).abs().max()
        assert difference <= {torch.uint8: 1, torch.float32: 2e-3, torch.float64: 1e-9}[dtype]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.float64])
def test_a_crop_of_the_whole_image_changes_no_pixel(dtype):
    images = pictures(4, 9, 14, dtype)
    boxes = torch.tensor([[0, 0, 9, 14]] * 4).T
    assert torch.equal(resize_crops(images, boxes, torch.zeros(4, dtype=torch.bool)), images)


def test_the_size_of_chunks_changes_nothing(monkeypatch):
    images, boxes, flips = pictures(23, 8, 8), some_boxes(23, 8, 8), torch.arange(23) % 2 == 0
    whole = resize_crops(images, boxes, flips)
    monkeypatch.setattr(module, "CHUNK", 5)
    assert torch.equal(resize_crops(images, boxes, flips), whole)


# --- boxes ----------------------------------------------------------------------------------------


def torchvisions_boxes(n, height, width, smallest):
    image = torch.zeros(1, height, width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        boxes = [
            RandomResizedCrop.get_params(image, (smallest, 1), (3 / 4, 4 / 3)) for _ in range(n)
        ]
    return torch.tensor(boxes).T


def is_whole(boxes, height, width):
    return (boxes[2] == height) & (boxes[3] == width)


@pytest.mark.parametrize(
    ("height", "width", "smallest"), [(64, 64, 0.08), (32, 32, 0.7), (30, 44, 0.3), (8, 8, 0.08)]
)
def test_boxes_are_distributed_as_torchvisions(height, width, smallest):
    ours = draw_boxes(DRAWS, height, width, smallest, generator("boxes", 1))
    theirs = torchvisions_boxes(DRAWS, height, width, smallest)

    def figures(boxes):
        top, left, box_height, box_width = boxes.double()
        centre = top + box_height / 2 + 100 * (left + box_width / 2)
        return (*boxes, box_height * box_width, box_width / box_height, top - left, centre)

    for mine, expected in zip(figures(ours), figures(theirs), strict=True):
        assert ks_2samp(mine.numpy(), expected.numpy()).pvalue > 1e-3


def test_boxes_that_seldom_fit_end_in_the_whole_image_as_often_as_torchvisions():
    ours = draw_boxes(DRAWS, 20, 20, 0.97, generator("boxes", 2))
    theirs = torchvisions_boxes(DRAWS, 20, 20, 0.97)
    share = is_whole(theirs, 20, 20).double().mean().item()
    assert 0.05 < share < 0.95
    assert binomtest(int(is_whole(ours, 20, 20).sum()), DRAWS, share).pvalue > 1e-4


@pytest.mark.parametrize(("height", "width"), [(12, 60), (61, 11), (13, 27), (8, 40)])
def test_where_no_box_fits_it_is_the_central_one_as_in_torchvision(height, width):
    ours = draw_boxes(50, height, width, 0.95, generator("boxes", 3))
    theirs = torchvisions_boxes(50, height, width, 0.95)
    assert len(theirs.unique(dim=1).T) == 1
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("smallest", [1e-6, 0.08, 0.5, 1.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (32, 32)])
def test_every_box_lies_in_the_image(height, width, smallest):
    top, left, box_height, box_width = draw_boxes(
        2000, height, width, smallest, generator("boxes", 4)
    )
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert ((box_height >= 1) & (top + box_height <= height)).all()
    assert ((box_width >= 1) & (left + box_width <= width)).all()


# --- together -------------------------------------------------------------------------------------


def test_the_same_generator_gives_the_same_images_and_another_gives_others():
    images, spec = pictures(50, 16, 16), Augmentation(resized_crop=0.08, horizontal_flip=0.5)
    first = augment(images, spec, generator(1))
    assert torch.equal(first, augment(images, spec, generator(1)))
    assert not torch.equal(first, augment(images, spec, generator(2)))
    assert torch.equal(images, pictures(50, 16, 16))


def test_flips_are_drawn_after_the_boxes_and_independently_of_them():
    images = pictures(400, 8, 8)
    plain = augment(images, Augmentation(resized_crop=0.08), generator(1))
    flipped = augment(images, Augmentation(resized_crop=0.08, horizontal_flip=0.5), generator(1))
    mirrored = (flipped == plain.flip(3)).flatten(1).all(1)
    assert (mirrored | (flipped == plain).flatten(1).all(1)).all()
    assert binomtest(int(mirrored.sum()), 400, 0.5).pvalue > 1e-4
    every = augment(images, Augmentation(resized_crop=0.08, horizontal_flip=1.0), generator(1))
    assert torch.equal(every, plain.flip(3))


def test_no_images_give_no_images():
    images = pictures(0, 8, 8)
    assert augment(images, Augmentation(resized_crop=0.08), generator(1)).shape == images.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_resizes_as_the_cpu_does():
    images, boxes, flips = pictures(60, 16, 16), some_boxes(60, 16, 16), torch.arange(60) % 2 == 0
    on_gpu = resize_crops(images.cuda(), boxes.cuda(), flips.cuda()).cpu()
    assert (on_gpu.int() - resize_crops(images, boxes, flips).int()).abs().max() <= 1
    drawn = augment(images.cuda(), Augmentation(resized_crop=0.08), generator(1, device="cuda"))
    assert drawn.device.type == "cuda"


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, math.nan])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InputError, match=r"resized_crop: .* is not in \(0, 1\]"):
        Augmentation(resized_crop=share)


def test_two_kinds_of_crop_are_refused():
    with pytest.raises(InputError, match="crop_padding and resized_crop exclude each other"):
        Augmentation(crop_padding=4, resized_crop=0.08)
