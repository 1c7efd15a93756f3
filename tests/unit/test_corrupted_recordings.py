"""Corrupted copies of recordings: of which recordings they are, and what does not change them."""

import weakref
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from audio_cases import RATE, audio_folder, noise, packed_sounds, write_sound
from PIL import Image
from refusals import refused

from minimascope.data import audio_folder as source
from minimascope.data.corruptions.copies import CorruptionRequest, load_corrupted, save_corrupted
from minimascope.data.corruptions.recorded import corrupt, corrupted_recordings
from minimascope.data.corruptions.samples import sample_pictures
from minimascope.data.features import extract, numbered
from minimascope.data.log_mel_spec import LogMel
from minimascope.data.part import part_of

FEATURES = {"sample_rate": RATE, "mels": 16, "n_fft": 256, "hop_length": 80, "f_max": 4000.0}
OPTIONS = FEATURES | {"seconds": None, "mixed_rates": False}
WHOLE = {"test": None}
NAMES = ("pink_noise", "reverberation", "dropped_frames")


@pytest.fixture
def recordings(tmp_path):
    audio_folder(tmp_path)
    return source.load(tmp_path, "table.csv", path=None, domain_column="domain")


def copies_of(recordings, names=NAMES, severities=(1, 3), samples=None, part=WHOLE, **options):
    requests = [CorruptionRequest(name, severities, samples, "sounds") for name in names]
    test = numbered(recordings, part).test
    return corrupted_recordings(recordings, test, requests, OPTIONS | options)


def test_copies_are_log_mels_of_the_corrupted_sounds_of_the_test_split(recordings):
    copies, original = copies_of(recordings)
    clean = extract(recordings, LogMel(**FEATURES))
    assert torch.allclose(original, clean.test.inputs[0], atol=1e-4)
    for name, copy in zip(NAMES, copies, strict=True):
        assert (copy.corruption, copy.severities, copy.origin) == (name, (1, 3), "generated")
        assert copy.inputs.shape == (2, *clean.test.inputs.shape)
        assert torch.equal(copy.labels, clean.test.labels)
        assert copy.rows.tolist() == [0, 1, 2]
        assert not torch.isclose(copy.inputs, clean.test.inputs).all(dim=(1, 2, 3, 4)).any()


def test_neither_order_nor_company_nor_threads_change_a_copy(recordings):
    copies, _ = copies_of(recordings, severities=(1, 2, 3))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        [alone], _ = copies_of(recordings, NAMES[1:2], severities=(3,))
        reversed_, _ = copies_of(recordings[::-1], severities=(3, 1, 2))
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(alone.inputs[0], copies[1].inputs[2], atol=1e-4)
    for copy, other in zip(copies, reversed_, strict=True):
        assert torch.equal(other.inputs[[1, 2, 0]].flip(1), copy.inputs)
        assert torch.equal(other.labels.flip(0), copy.labels)


def test_each_recording_has_draws_of_its_own(tmp_path, recordings):
    for recording in recordings:
        write_sound(tmp_path / recording.filename, noise(1))
    [copy], _ = copies_of(recordings, ("white_noise",), severities=(1,))
    assert len({each.numpy().tobytes() for each in copy.inputs[0]}) == 3
    again, _ = copies_of(recordings, ("white_noise",), severities=(1,))
    assert again[0].inputs.numpy().tobytes() == copy.inputs.numpy().tobytes()


def test_samples_are_drawn_of_the_part_that_is_tested(recordings):
    part = {"test": None, "classes": ["cat"]}
    copies, original = copies_of(recordings, samples=1, part=part)
    clean = part_of(extract(recordings, LogMel(**FEATURES)), **part).test
    for copy in copies:
        assert copy.inputs.shape[1] == len(copy.labels) == len(copy.rows) == 1
        assert torch.equal(clean.labels[copy.rows], copy.labels)
    assert torch.allclose(clean.inputs[copies[0].rows][0], original, atol=1e-4)


def test_what_is_trained_on_changes_no_test_recording(recordings):
    named = {recording.domain for recording in recordings if recording.split == "train"}
    for trained in ({"train": 2}, {"train_domains": [min(named)]}):
        found = numbered(recordings, {"test": 2} | trained)
        assert len(found.train) < len(numbered(recordings, {}).train)
        assert torch.equal(found.test.inputs, numbered(recordings, {"test": 2}).test.inputs)


def test_what_networks_hear_is_corrupted_and_nothing_beside_it(tmp_path, recordings):
    """A recording that is cut has the signal-to-noise ratio of what is left."""
    [copy], _ = copies_of(recordings, ("white_noise",), seconds=0.25)
    assert copy.inputs.shape[-1] == 1 + RATE // 4 // 80
    loud = np.concatenate([noise(3, 0.2), 0.001 * noise(4, 0.25), noise(5, 0.05)])
    quiet = loud[1000 : 1000 + 2000]
    for recording in recordings:
        write_sound(tmp_path / recording.filename, loud, subtype="FLOAT")
    [copy], original = copies_of(recordings, ("gain",), severities=(1,), seconds=0.25)
    steps = {round(float((each - original).mean())) for each in copy.inputs[0]}
    assert steps <= {-6, 6}
    assert corrupt(quiet, "gain", 1, RATE, 4000.0, 0).shape == (2000,)


def test_packed_and_missing_recordings_are_as_for_features(tmp_path, recordings):
    folder = audio_folder(tmp_path / "sounds")
    packed_sounds(folder, tmp_path / "sounds.zip")
    inside = source.load(tmp_path, "sounds/table.csv", path="sounds.zip", domain_column="domain")
    copies, _ = copies_of(inside)
    wanted, _ = copies_of(recordings)
    assert torch.equal(copies[0].inputs, wanted[0].inputs)
    (tmp_path / "dog-3.wav").unlink()
    with refused("no file dog-3.wav"):
        copies_of(recordings)


def test_copies_of_recordings_are_kept_as_those_of_images(tmp_path, recordings):
    copies, _ = copies_of(recordings)
    save_corrupted(tmp_path / "c", copies)
    for before, after in zip(copies, load_corrupted(tmp_path / "c"), strict=True):
        assert torch.equal(before.inputs, after.inputs)
        assert torch.equal(before.rows, after.rows)


def test_the_draws_are_those_of_the_named_data_set_whatever_is_trained_on(recordings):
    def made(part, stream):
        test = numbered(recordings, WHOLE | part).test
        request = CorruptionRequest("pink_noise", (1,), 2, stream)
        [copy], _ = corrupted_recordings(recordings, test, [request], OPTIONS)
        return copy

    domain = min(recording.domain for recording in recordings if recording.split == "train")
    whole, other = made({}, "whole"), made({}, "part")
    part = made({"train_domains": [domain]}, "whole")
    assert torch.equal(part.inputs, whole.inputs)
    assert torch.equal(part.rows, whole.rows)
    assert not torch.equal(other.inputs, whole.inputs)


def test_copies_that_were_read_are_let_go_before_the_next(tmp_path, recordings):
    copies, _ = copies_of(recordings)
    save_corrupted(tmp_path / "c", copies)
    read = []
    for copy in load_corrupted(tmp_path / "c"):
        read.append(weakref.ref(copy.inputs))
        # No copy is a part of a larger one, which would stay with it.
        assert copy.inputs.untyped_storage().nbytes() == copy.inputs.nbytes
        del copy
        assert [each() for each in read] == [None] * len(read)
    assert len(read) == len(NAMES)


def test_pictures_of_log_mels_tell_decibels_from_the_lowest_band_up(recordings):
    copies, original = copies_of(recordings)
    rows = sample_pictures(copies, original)
    assert [(row["corruption"], row["severity"]) for row in rows] == [
        ("none", 0),
        *((name, severity) for name in NAMES for severity in (1, 3)),
    ]
    for row, decibels in zip(rows[:2], (original, copies[0].inputs[0, 0]), strict=True):
        levels = np.asarray(Image.open(BytesIO(b64decode(row["picture"]))))
        shown = -100 + 160 / 255 * levels[::-1].astype(float)
        assert np.abs(shown - decibels[0].numpy()).max() <= 160 / 255 / 2 + 1e-4


def test_pictures_of_images_are_their_pixels_and_large_ones_are_smaller():
    draws = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, 10, 10), generator=draws, dtype=torch.uint8)
    [row] = sample_pictures([], image)
    picture = Image.open(BytesIO(b64decode(row["picture"])))
    assert np.array_equal(np.asarray(picture), image.permute(1, 2, 0).numpy())
    [row] = sample_pictures([], image.repeat(1, 40, 40))
    assert Image.open(BytesIO(b64decode(row["picture"]))).size == (160, 160)
