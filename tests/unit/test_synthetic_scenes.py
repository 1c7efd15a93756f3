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
from minimascope.data.scenes.devices import DEVICES
from minimascope.data.scenes.layout import CITIES, folds
from minimascope.data.scenes.scenes import HEADROOM, SCENES, render
from minimascope.data.scenes.signals import SAMPLE_RATE, noise, pass_by
from minimascope.errors import InputError

ARGUMENTS = {"clips": 9, "seconds": 0.5, "seed": 3}
LABELS = [
    *("airport", "bus", "metro", "metro_station", "park", "public_square", "shopping_mall"),
    *("street_pedestrian", "street_traffic", "tram"),
]
UNSEEN = ("s4", "s5", "s6")


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


# Layout


def test_the_tables_are_those_of_the_official_layout(folder):
    assert list(SCENES) == LABELS
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
