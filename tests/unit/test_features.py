"""Log-mels of whole sets of recordings, from files of several kinds to one data set."""

import tarfile
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from audio_cases import (
    COLUMNS,
    RATE,
    ROWS,
    audio_folder,
    dcase_layout,
    noise,
    packed_sounds,
    write_sound,
    write_table,
)
from refusals import refused
from study_cases import component

from minimascope.data import dcase2020, features
from minimascope.data.features import extract, names_in_order, numbered
from minimascope.data.log_mel_spec import LogMel
from minimascope.data.part import part_of
from minimascope.data.prepared import Dataset, load_dataset, save_dataset
from minimascope.data.recordings import Recording
from minimascope.data.sound import read_sound

SPEC = LogMel(sample_rate=RATE, mels=20, n_fft=256, hop_length=80, f_min=50.0, f_max=4000.0)

listed = component("dataset", "audio_folder")


@pytest.fixture
def folder(tmp_path) -> Path:
    return audio_folder(tmp_path / "mine")


def expected(samples: np.ndarray) -> torch.Tensor:
    """Log-mels by librosa, [mels, frames]."""
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=RATE,
        n_fft=256,
        hop_length=80,
        n_mels=20,
        fmin=50,
        fmax=4000,
        pad_mode="reflect",
    )
    return torch.from_numpy(librosa.power_to_db(power, top_db=None)).float()


def of_split(dataset: Dataset, split: str) -> list[tuple[str, str, torch.Tensor]]:
    """The (class, domain, log-mels) of a split's samples."""
    chosen = getattr(dataset, split)
    return [
        (dataset.classes[label], dataset.domains[domain], inputs[0])
        for label, domain, inputs in zip(chosen.labels, chosen.domains, chosen.inputs, strict=True)
    ]


def equal(ours: Dataset, theirs: Dataset) -> bool:
    tensors = zip(
        [*ours.train.tensors().values(), *ours.test.tensors().values()],
        [*theirs.train.tensors().values(), *theirs.test.tensors().values()],
        strict=True,
    )
    return all(torch.equal(one, other) for one, other in tensors)


def test_each_split_holds_the_log_mels_of_its_recordings_in_their_order(folder):
    dataset = extract(listed(folder, "table.csv"), SPEC)
    for split in ("train", "test"):
        rows = [row for row in ROWS if row[3] == split]
        found = of_split(dataset, split)
        assert [sample[:2] for sample in found] == [row[1:3] for row in rows]
        for (_, _, features_of_one), row in zip(found, rows, strict=True):
            samples, _ = soundfile.read(folder / row[0])
            assert torch.allclose(features_of_one, expected(samples), atol=1e-3)
    assert dataset.train.inputs.shape == (3, 1, 20, 51)
    assert dataset.train.inputs.dtype == torch.float32
    assert (dataset.classes, dataset.domains) == (("cat", "dog"), ("phone", "tablet", "watch"))
    assert dataset.seen == (True, True, False)
    assert dataset.cities == ()
    assert dataset.train.cities is None


def test_names_do_not_depend_on_the_order_of_recordings(folder):
    recordings = listed(folder, "table.csv")
    ours, theirs = extract(recordings, SPEC), extract(recordings[::-1], SPEC)
    for name in ("classes", "domains", "seen"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert torch.equal(ours.test.domains, theirs.test.domains.flip(0))
    assert torch.allclose(ours.test.inputs, theirs.test.inputs.flip(0), atol=1e-4)


def test_scenes_in_the_official_layout_have_devices_and_cities(tmp_path):
    folder = dcase_layout(tmp_path / "scenes")
    dataset = extract(dcase2020.read_layout(folder), SPEC)
    assert dataset.classes == ("bus", "park")
    assert dataset.domains == ("A", "B", "S1", "S4")
    assert dataset.seen == (True, True, True, False)
    assert dataset.cities == ("oslo", "rome")
    assert dataset.train.cities.tolist() == [0, 1, 1, 0]
    assert dataset.test.domains.tolist() == [3, 0]
    samples, _ = soundfile.read(folder / "audio" / "park-oslo-5-0-s4.wav")
    assert torch.allclose(dataset.test.inputs[0, 0], expected(samples), atol=1e-3)
    save_dataset(tmp_path / "data.safetensors", dataset)
    loaded, _ = load_dataset(tmp_path / "data.safetensors")
    assert equal(loaded, dataset)
    for name in ("classes", "domains", "seen", "cities"):
        assert getattr(loaded, name) == getattr(dataset, name)


@pytest.mark.parametrize(("batch", "threads"), [(1, 3), (4, 1), (100, 3)])
def test_batches_and_threads_do_not_change_the_features(folder, monkeypatch, batch, threads):
    recordings = listed(folder, "table.csv")
    together = extract(recordings, SPEC)
    before = torch.get_num_threads()
    monkeypatch.setattr(features, "BATCH", batch)
    torch.set_num_threads(threads)
    try:
        apart = extract(recordings, SPEC)
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(apart.train.inputs, together.train.inputs, atol=1e-4)
    assert torch.allclose(apart.test.inputs, together.test.inputs, atol=1e-4)


def test_names_are_in_the_order_of_their_numbers_if_all_are_numbers():
    assert names_in_order(["10", "9", "-1", "9"]) == ("-1", "9", "10")
    assert names_in_order(["10", "9", "b"]) == ("10", "9", "b")


# Seconds


@pytest.mark.parametrize(("length", "wanted"), [(4000, 1601), (4000, 4000), (1601, 4000)])
def test_the_middle_is_kept_or_the_sound_put_into_the_middle(folder, length, wanted):
    samples = noise(7, length / RATE)
    write_sound(folder / "dog-1.wav", samples, subtype="DOUBLE")
    dataset = extract(listed(folder, "table.csv"), SPEC, seconds=wanted / RATE)
    offset = (abs(wanted - length)) // 2
    if wanted < length:
        kept = samples[offset : offset + wanted]
    else:
        kept = np.zeros(wanted)
        kept[offset : offset + length] = samples
    assert dataset.train.inputs.shape[-1] == 1 + wanted // 80
    assert torch.allclose(dataset.train.inputs[0, 0], expected(kept), atol=1e-3)


def test_other_durations_are_refused_unless_one_is_set(folder):
    write_sound(folder / "cat-2.wav", noise(0, 0.75))
    recordings = listed(folder, "table.csv")
    with refused("mine/cat-2.wav: 0.75 s where", "mine/dog-1.wav has 0.5 s; set features.seconds"):
        extract(recordings, SPEC)
    assert extract(recordings, SPEC, seconds=0.6).test.inputs.shape[-1] == 61


def test_a_duration_that_differs_by_one_sample_is_refused(folder):
    write_sound(folder / "cat-2.wav", noise(0)[:-1])
    with refused("mine/cat-2.wav: 0.499875 s where"):
        extract(listed(folder, "table.csv"), SPEC)


def test_a_recording_whose_middle_is_silent_is_refused(folder):
    samples = noise(0)
    samples[1000:3000] = 0
    write_sound(folder / "cat-2.wav", samples)
    recordings = listed(folder, "table.csv")
    extract(recordings, SPEC, seconds=0.5)
    with refused("mine/cat-2.wav: the middle 0.2 s are silent"):
        extract(recordings, SPEC, seconds=0.2)


# Sample rates


def test_other_sample_rates_are_refused_unless_they_may_be_mixed(folder):
    tone = {rate: np.sin(2 * np.pi * 500 * np.arange(rate // 2) / rate) for rate in (8000, 44100)}
    write_sound(folder / "dog-1.wav", tone[8000])
    write_sound(folder / "cat-1.wav", tone[44100], 44100)
    recordings = listed(folder, "table.csv")
    with refused("mine/cat-1.wav: 44100 Hz where", "dog-1.wav has 8000 Hz; resample it, or set"):
        extract(recordings, SPEC)
    dataset = extract(recordings, SPEC, mixed_rates=True)
    low, high = dataset.train.inputs[:2, 0, :, 3:-3]
    loud = low > -30
    assert loud.any()
    assert (low - high)[loud].abs().max() < 0.1


@pytest.mark.parametrize(("seconds", "frames"), [(None, 51), (0.1234, 13), (0.249875, 25)])
@pytest.mark.parametrize("rates", [(11025, 8000), (8000, 11025), (22050, 48000)])
def test_mixed_rates_give_inputs_of_one_shape(folder, seconds, frames, rates):
    for number, row in enumerate(ROWS):
        rate = rates[number % 2]
        write_sound(folder / row[0], noise(number, 0.5, rate), rate)
    dataset = extract(listed(folder, "table.csv"), SPEC, seconds, mixed_rates=True)
    assert dataset.train.inputs.shape[-1] == frames
    assert dataset.train.inputs.isfinite().all()


def test_rates_too_low_for_the_highest_band_are_told_once(folder, capsys):
    recordings = listed(folder, "table.csv")
    extract(recordings, SPEC)
    assert capsys.readouterr().out == ""
    dataset = extract(recordings, LogMel())
    assert capsys.readouterr().out == (
        "recordings at 8000 Hz hold nothing above 4000 Hz; f_max is 8000\n"
    )
    assert dataset.train.inputs.shape == (3, 1, 64, 51)


def test_recordings_too_short_for_a_frame_are_refused(folder):
    with refused("n_fft: recordings have 80 samples"):
        extract(listed(folder, "table.csv"), SPEC, seconds=0.01)


# Files


CANCEL = "channels cancel each other"


def test_ogg_flac_and_wide_wav_files_are_decoded_and_channels_averaged(tmp_path):
    left, right = (0.4 * np.sin(hertz * np.arange(4000) / 1000) for hertz in (200, 500))
    stereo = np.stack([left, right], axis=1)
    kinds = {"a.wav": "PCM_24", "a.flac": "PCM_16", "b.wav": "FLOAT", "a.ogg": "VORBIS"}
    for name, subtype in kinds.items():
        path = write_sound(tmp_path / name, stereo, subtype=subtype)
        for origin in (path, path.read_bytes()):
            samples, rate = read_sound(origin, name)
            assert (samples.dtype, samples.shape, rate) == (np.float32, (4000,), RATE)
            error = np.abs(samples - (left + right) / 2)
            assert error.mean() < (0.01 if name == "a.ogg" else 2e-5)


@pytest.mark.parametrize(
    ("write", "fault"),
    [
        (lambda path: path.write_text("no sound"), "cannot be decoded"),
        (lambda path: path.write_bytes(b""), "cannot be decoded"),
        (lambda path: write_sound(path, np.zeros(0)), "holds no samples"),
        (lambda path: write_sound(path, np.zeros(99)), "is silent"),
        (lambda path: write_sound(path, np.full(99, 0.25)), "all of its samples are the same"),
        (lambda path: write_sound(path, np.array([[0.5, -0.5]] * 9)), CANCEL),
        # Rounded to 16 bits, they do not cancel to the last bit.
        (lambda path: write_sound(path, np.outer(np.linspace(-0.3, 0.3, 99), [1, -1])), CANCEL),
        (lambda path: write_sound(path, np.array([0.1, np.nan]), subtype="FLOAT"), "not finite"),
        (lambda path: write_sound(path, np.array([0.1, np.inf]), subtype="FLOAT"), "not finite"),
    ],
)
def test_a_file_that_is_no_sound_is_named_with_its_fault(tmp_path, write, fault):
    write(tmp_path / "x.wav")
    for origin in (tmp_path / "x.wav", (tmp_path / "x.wav").read_bytes()):
        with refused("place/x.wav: ", fault):
            read_sound(origin, "place/x.wav")


def test_a_recording_that_has_gone_since_it_was_listed_is_named(folder):
    recordings = listed(folder, "table.csv")
    (folder / "cat-3.wav").unlink()
    with refused("mine: no file cat-3.wav"):
        extract(recordings, SPEC)
    packed_sounds(folder, folder.parent / "a.tar.gz")
    gone = [Recording(**{**vars(r), "place": str(folder.parent / "a.tar.gz")}) for r in recordings]
    with refused("a.tar.gz: no file cat-3.wav"):
        extract(gone, SPEC)


def test_one_file_may_lie_twice_in_an_archive(folder):
    archive = packed_sounds(folder, folder.parent / "a.tar")
    with tarfile.open(archive, "a") as file:
        file.add(folder / "dog-1.wav", "dog-1.wav")
    recordings = listed(folder.parent, "mine/table.csv", path="a.tar")
    assert equal(extract(recordings, SPEC), extract(listed(folder, "table.csv"), SPEC))


def test_more_recordings_than_a_batch_keep_their_order(tmp_path):
    rows = [
        (f"{n}.wav", str(n % 3), "d", "train" if n % 4 else "test", "true") for n in range(1, 80)
    ]
    for number, row in enumerate(rows):
        level = 10 ** (-number / 40)
        write_sound(tmp_path / row[0], level * noise(3, 0.1), subtype="FLOAT")
    write_table(tmp_path / "table.csv", rows[::-1], COLUMNS)
    dataset = extract(listed(tmp_path, "table.csv"), SPEC)
    for split in ("train", "test"):
        numbers = [n for n, row in enumerate(rows) if row[3] == split][::-1]
        levels = getattr(dataset, split).inputs.mean((1, 2, 3))
        assert torch.allclose(levels + 0.5 * torch.tensor(numbers), levels[-1] + 0.5 * numbers[-1])
        assert getattr(dataset, split).labels.tolist() == [(n + 1) % 3 for n in numbers]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_what_the_cpu_gives(folder):
    recordings = listed(folder, "table.csv")
    gpu, cpu = (extract(recordings, SPEC, device=device) for device in ("cuda", "cpu"))
    assert torch.allclose(gpu.train.inputs, cpu.train.inputs, atol=1e-3)


def test_log_mels_of_a_part_are_those_of_the_whole_and_no_other_recording_is_read(folder):
    recordings = listed(folder, "table.csv")
    wanted = {"train": 2, "test": 2}
    expected = part_of(extract(recordings, SPEC), **wanted)
    part = numbered(recordings, wanted)
    used = {*torch.cat([part.train.inputs, part.test.inputs]).flatten().tolist()}
    assert len(used) == 4
    for number in {*range(len(recordings))} - used:
        (folder / recordings[number].filename).unlink()
    found = extract(recordings, SPEC, part=part)
    for split in ("train", "test"):
        own, other = getattr(found, split), getattr(expected, split)
        assert torch.allclose(own.inputs, other.inputs, atol=1e-4)
        assert torch.equal(own.labels, other.labels)
        assert torch.equal(own.domains, other.domains)
    for key in ("classes", "domains", "seen"):
        assert getattr(found, key) == getattr(expected, key)


def test_a_class_that_is_missing_is_told_before_anything_is_decoded(folder):
    recordings = listed(folder, "table.csv")
    for recording in recordings:
        (folder / recording.filename).unlink()
    with refused("classes: no class 'wolf'"):
        numbered(recordings, {"classes": ["wolf", "dog"]})
