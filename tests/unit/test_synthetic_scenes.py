import csv
import math
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from minimascope.data import scenes
from minimascope.data.scenes import synthesise, write_scenes
from minimascope.data.scenes.devices import DEVICES, compress, impulse_response, record
from minimascope.data.scenes.layout import CITIES, folds
from minimascope.data.scenes.scenes import HEADROOM, SCENES, render
from minimascope.data.scenes.signals import SAMPLE_RATE, noise, pass_by
from minimascope.errors import InputError

ARGUMENTS = {"clips": 9, "seconds": 0.5, "seed": 3}
LABELS = [
    "airport",
    "bus",
    "metro",
    "metro_station",
    "park",
    "public_square",
    "shopping_mall",
    "street_pedestrian",
    "street_traffic",
    "tram",
]
UNSEEN = ("s4", "s5", "s6")
SIMULATED = ("s1", "s2", "s3", *UNSEEN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, **ARGUMENTS)
    return folder


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def fold(folder: Path, name: str) -> list[dict[str, str]]:
    return read_table(folder / "evaluation_setup" / f"fold1_{name}.csv")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decibels(power: float | np.ndarray) -> float | np.ndarray:
    return 10 * np.log10(power)


def designed(name: str, frequency: float | np.ndarray) -> float | np.ndarray:
    """The device's response in dB as its table says."""
    points = np.array(DEVICES[name].response)
    return np.interp(np.log(frequency), np.log(points[:, 0]), points[:, 1])


def sine(level: float, seconds: float = 0.5, frequency: float = 1000) -> np.ndarray:
    """A sine with an RMS of ``level`` dBFS."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return math.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * frequency * time)


def looped_compressor(samples: np.ndarray, name: str) -> np.ndarray:
    """The compressor, sample by sample."""
    device = DEVICES[name]
    means = [sum(x * x for x in samples) / len(samples)] * 2
    steps = [1 - math.exp(-1 / (time * 44_100)) for time in (device.attack, device.release)]
    output = []
    for x in samples:
        means = [m + step * (x * x - m) for m, step in zip(means, steps, strict=True)]
        level = 10 * math.log10(max(means))
        target = level
        if level > device.threshold:
            target = device.threshold + (level - device.threshold) / device.ratio
        output.append(x * 10 ** ((target - level) / 20))
    return np.array(output)


# Layout


def test_the_tables_are_those_of_the_official_layout(folder):
    headers = {
        "meta.csv": "filename\tscene_label\tidentifier\tsource_label",
        "evaluation_setup/fold1_train.csv": "filename\tscene_label",
        "evaluation_setup/fold1_test.csv": "filename",
        "evaluation_setup/fold1_evaluate.csv": "filename\tscene_label",
    }
    for name, header in headers.items():
        assert (folder / name).read_text().partition("\n")[0] == header
    files = {name for name in contents(folder) if not name.startswith("audio/")}
    assert files == set(headers)


def test_every_file_of_the_folds_exists_and_no_other(folder):
    train, test = fold(folder, "train"), fold(folder, "evaluate")
    listed = [row["filename"] for row in train + test]
    assert sorted(listed) == sorted(name for name in contents(folder) if name.endswith(".wav"))
    assert listed == [row["filename"] for row in read_table(folder / "meta.csv")]
    assert [row["filename"] for row in test] == [row["filename"] for row in fold(folder, "test")]


def test_names_agree_with_the_tables(folder):
    rows = fold(folder, "train") + fold(folder, "evaluate")
    labels = {row["filename"]: row["scene_label"] for row in rows}
    for row in read_table(folder / "meta.csv"):
        parts = Path(row["filename"]).stem.split("-")
        scene, city, location, segment, device = parts
        assert row["filename"] == f"audio/{'-'.join(parts)}.wav"
        assert scene == row["scene_label"] == labels[row["filename"]]
        assert row["identifier"] == f"{city}-{location}"
        assert row["source_label"] == device
        assert int(location) >= 0
        assert int(segment) >= 0
    assert sorted(set(labels.values())) == LABELS


@pytest.mark.parametrize("clips", [9, 27, 31])
def test_folds_have_the_promised_sizes_and_devices(clips):
    train, test = folds(clips)
    assert Counter(r.scene for r in train) == dict.fromkeys(LABELS, clips)
    assert Counter(r.scene for r in test) == dict.fromkeys(LABELS, 9 * (clips // 9))
    heard = Counter(r.device for r in train)
    assert set(heard) == set(DEVICES) - set(UNSEEN)
    assert 0.6 <= heard.pop("a") / len(train) <= 0.7
    assert max(heard.values()) - min(heard.values()) <= 1
    for scene in LABELS:
        devices = Counter(r.device for r in test if r.scene == scene)
        assert devices == dict.fromkeys(DEVICES, clips // 9)


@pytest.mark.parametrize("clips", [9, 27, 31])
def test_locations_belong_to_one_scene_and_one_fold(clips):
    train, test = folds(clips)
    assert not {r.identifier for r in train} & {r.identifier for r in test}
    owners = defaultdict(set)
    for recording in train + test:
        owners[recording.location].add((recording.scene, recording.city))
    assert all(len(owner) == 1 for owner in owners.values())
    assert len({r.filename for r in train + test}) == len(train + test)
    assert {r.city for r in folds(27)[0]} == set(CITIES)


def test_each_test_segment_is_heard_by_two_seen_devices_and_an_unseen_one():
    heard = defaultdict(list)
    for recording in folds(27)[1]:
        heard[recording.scene, recording.segment].append(recording.device)
    assert len(heard) == 90
    for devices in heard.values():
        assert len(set(devices) & set("abc")) == len(set(devices) & {"s1", "s2", "s3"}) == 1
        assert len(set(devices) & set(UNSEEN)) == 1


# Files


def test_files_are_24_bit_mono_wav_of_the_asked_length(folder):
    for path in (folder / "audio").iterdir():
        info = soundfile.info(path)
        assert (info.format, info.subtype) == ("WAV", "PCM_24")
        assert (info.samplerate, info.channels, info.frames) == (44_100, 1, 22_050)


def test_no_clip_is_silent_or_clipped(folder):
    for path in (folder / "audio").iterdir():
        samples, _ = soundfile.read(path)
        assert np.abs(samples).max() < 0.95
        for part in np.array_split(samples, 10):
            assert decibels(np.mean(part**2)) > -75


def test_equal_seeds_give_equal_bytes(folder, tmp_path):
    state = str(np.random.get_state())  # noqa: NPY002
    write_scenes(tmp_path, **ARGUMENTS)
    assert contents(tmp_path) == contents(folder)
    assert str(np.random.get_state()) == state  # noqa: NPY002


def test_a_clip_can_be_made_alone_whatever_was_made_before(folder):
    train, test = folds(ARGUMENTS["clips"])
    for recording in (test[4], train[70], test[3], test[-1], train[2]):
        file = BytesIO()
        samples = synthesise(recording, 0.5, ARGUMENTS["seed"])
        soundfile.write(file, samples, 44_100, "PCM_24", format="WAV")
        assert file.getvalue() == (folder / recording.filename).read_bytes()


def test_other_seeds_and_segments_give_other_sounds():
    train = folds(9)[0][::9]
    for recording in train:
        one, other = (synthesise(recording, 0.5, seed) for seed in (0, 1))
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.3
    first, second = (synthesise(r, 0.5, 0) for r in folds(9)[0][:2])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": 8}, "clips: 8 .* 9 or more"),
        ({"clips": 0}, "clips: 0 "),
        ({"seconds": 0.4}, r"seconds: 0\.4 .* 0\.5 or more"),
        ({"seconds": math.nan}, "seconds: nan"),
        ({"seconds": math.inf}, "seconds: inf"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        write_scenes(tmp_path, **{**ARGUMENTS, **changes})
    assert not list(tmp_path.iterdir())


# Scenes


def test_scenes_are_named_as_in_dcase():
    assert list(SCENES) == LABELS


@pytest.mark.parametrize("name", LABELS)
def test_what_a_location_is_like_does_not_depend_on_the_segment(name):
    places = [rng() for _ in range(12)]
    for moment, place in enumerate(places):
        render(name, place, rng(moment), 4_410)
    states = [place.bit_generator.state for place in places]
    assert all(state == states[0] for state in states)


def test_places_are_drawn_by_location_and_moments_by_segment(monkeypatch):
    def draws(recording, seed: int) -> tuple[float, float]:
        drawn = []

        def listen(name: str, place, moment, n: int) -> np.ndarray:
            drawn.extend([place.random(), moment.random()])
            return np.zeros(n)

        monkeypatch.setattr(scenes, "render", listen)
        synthesise(recording, 0.01, seed)
        return tuple(drawn)

    first, second, elsewhere = folds(9)[0][:3]
    place, moment = draws(first, 0)
    assert draws(second, 0)[0] == place
    assert draws(second, 0) == ()  # The scene just made is not made again.
    assert draws(elsewhere, 0)[0] != place
    assert draws(first, 1)[0] != place
    assert draws(first, 0) == (place, moment)
    assert len({draws(recording, seed)[1] for recording in (first, second) for seed in (2, 3)}) == 4


def test_a_scene_keeps_its_level_unless_it_leaves_no_headroom(monkeypatch):
    def ramp(place, moment, n: int) -> np.ndarray:
        return np.linspace(-1, 0, n)

    monkeypatch.setitem(SCENES, "quiet", (ramp, -60))
    monkeypatch.setitem(SCENES, "loud", (ramp, 40))
    assert 10 ** (-75 / 20) < np.abs(render("quiet", rng(), rng(), 100)).max() < 10 ** (-45 / 20)
    assert np.abs(render("loud", rng(), rng(), 100)).max() == pytest.approx(HEADROOM)


@pytest.mark.parametrize("name", LABELS)
def test_a_scene_fills_any_length(name):
    sound = render(name, rng(1), rng(2), 50_021)
    assert sound.shape == (50_021,)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= HEADROOM
    assert np.mean(sound[-2205:] ** 2) > 0


def features(samples: np.ndarray) -> np.ndarray:
    """Mean and standard deviation over time of levels in 30 bands."""
    _, _, power = signal.spectrogram(samples, SAMPLE_RATE, nperseg=1024, noverlap=512)
    edges = np.unique(np.geomspace(2, len(power), 31).astype(int))
    bands = decibels(np.add.reduceat(power, edges[:-1], axis=0))
    return np.concatenate([bands.mean(1), bands.std(1)])


def test_a_linear_classifier_tells_scenes_apart_best_on_seen_devices(folder):
    def load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = fold(folder, name)
        paths = [Path(row["filename"]) for row in rows]
        inputs = np.stack([features(soundfile.read(folder / path)[0]) for path in paths])
        unseen = [path.stem.endswith(UNSEEN) for path in paths]
        return inputs, np.array([row["scene_label"] for row in rows]), np.array(unseen)

    inputs, labels, _ = load("train")
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    classifier.fit(inputs, labels)
    inputs, labels, unseen = load("evaluate")
    correct = classifier.predict(inputs) == labels
    assert 0.5 < correct[~unseen].mean() < 0.98
    assert 0.2 < correct[unseen].mean() < correct[~unseen].mean() - 0.05


def test_noise_has_the_asked_level_slope_and_edges():
    samples = noise(rng(), 10 * SAMPLE_RATE, 100, 8000, tilt=-6)
    assert np.mean(samples**2) == pytest.approx(1)
    frequency, density = signal.welch(samples, SAMPLE_RATE, nperseg=1024)
    level = decibels(np.interp([1000, 2000, 16_000], frequency, density))
    assert level[0] - level[1] == pytest.approx(6, abs=0.5)
    # Four octaves of the slope, and one octave beyond the corner.
    assert level[0] - level[2] == pytest.approx(4 * 6 + decibels(1 + 2**4), abs=0.5)


def test_a_passing_car_is_half_as_loud_some_seconds_from_its_nearest_point():
    curve = pass_by(rng(0), 10 * SAMPLE_RATE, 0.5)
    nearest = int(curve.argmax())
    assert curve[nearest] == pytest.approx(1, abs=1e-6)
    assert curve[nearest - SAMPLE_RATE // 2] == pytest.approx(0.5, abs=1e-3)


# Devices


@pytest.mark.parametrize("name", DEVICES)
def test_a_sound_below_the_threshold_meets_the_designed_response(name):
    level = -65 if name in SIMULATED else -20
    sound = 10 ** (level / 20) * rng().standard_normal(5 * SAMPLE_RATE)
    settings = {"fs": SAMPLE_RATE, "nperseg": 8192}
    frequency, crossed = signal.csd(sound, record(sound, name, rng(1)), **settings)
    _, own = signal.welch(sound, **settings)
    audible = (frequency > 100) & (frequency < 16_000)
    measured = decibels(np.abs(crossed / own)[audible] ** 2)
    np.testing.assert_allclose(measured, designed(name, frequency[audible]), atol=1)
    assert np.abs(measured - designed(name, frequency[audible])).mean() < 0.2


@pytest.mark.parametrize("name", DEVICES)
def test_impulse_responses_have_minimum_phase(name):
    response = np.fft.fft(impulse_response(name), 2**15)
    expected = -np.imag(signal.hilbert(np.log(np.abs(response))))
    turned = np.angle(response * np.exp(-1j * expected))
    assert np.abs(turned).max() < 0.05


def test_unseen_devices_hear_narrower_bands():
    frequency = np.geomspace(50, 16_000, 500)

    def octaves(name: str) -> float:
        level = designed(name, frequency)
        loud = frequency[level > level.max() - 6]
        return math.log2(loud[-1] / loud[0])

    seen = [octaves(name) for name in DEVICES if name not in UNSEEN]
    assert max(map(octaves, UNSEEN)) < min(seen)


@pytest.mark.parametrize("name", SIMULATED)
def test_a_steady_sine_follows_the_static_curve(name):
    device = DEVICES[name]
    for level in (-70, -50, -40, -30, -20, -10):
        heard = record(sine(level), name, rng())
        through = level + designed(name, 1000)
        above = max(0, through - device.threshold)
        expected = through - above + above / device.ratio
        assert decibels(np.mean(heard[11_025:-2205] ** 2)) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_real_devices_add_noise_and_do_not_compress(name):
    heard = record(np.zeros(SAMPLE_RATE), name, rng())
    assert decibels(np.mean(heard**2)) == pytest.approx(DEVICES[name].noise, abs=0.1)
    levels = [decibels(np.mean(record(sine(level), name, rng()) ** 2)) for level in (-40, -10)]
    assert levels[1] - levels[0] == pytest.approx(30, abs=0.1)


def test_the_compressor_is_quick_to_attack_and_slow_to_release():
    device = DEVICES["s5"]
    quiet, loud = sine(-60, 0.5), sine(-20, 0.5)
    sound = np.concatenate([quiet, loud, quiet, quiet])
    gains = decibels((np.abs(compress(sound, device)) + 1e-12) ** 2)
    gains -= decibels((np.abs(sound) + 1e-12) ** 2)

    def applied(seconds: float) -> float:
        start = round(seconds * SAMPLE_RATE)
        return np.median(gains[start : start + 100])

    full = (-20 - device.threshold) * (1 / device.ratio - 1)
    assert applied(0.53) == pytest.approx(full, abs=0.3)
    assert applied(1.03) < 0.6 * full
    assert applied(1.95) == 0


@pytest.mark.parametrize("name", ["s1", "s6"])
def test_the_compressor_agrees_with_a_plain_loop(name):
    bursts = rng().standard_normal(3000) * np.where(np.arange(3000) % 1000 < 300, 0.3, 1e-3)
    np.testing.assert_allclose(
        compress(bursts, DEVICES[name]), looped_compressor(bursts, name), rtol=1e-9
    )


def test_simulated_devices_are_made_from_what_the_reference_recorded(folder):
    segment = [r for r in folds(ARGUMENTS["clips"])[1] if r.scene == "metro"][:3]
    samples = {r.device: soundfile.read(folder / r.filename)[0] for r in segment}
    reference = samples.pop("a")
    assert set(samples) == {"s1", "s4"}
    for name, heard in samples.items():
        filtered = np.convolve(reference, impulse_response(name))[: len(reference)]
        np.testing.assert_allclose(heard, looped_compressor(filtered, name), atol=1e-5)
        assert np.abs(heard - reference).max() > 1e-3


def test_no_device_can_reach_full_scale():
    reference = np.abs(impulse_response("a")).sum()
    for name in DEVICES:
        largest = HEADROOM * reference * np.abs(impulse_response(name)).sum()
        assert largest < 0.95
