"""Which recordings there are: names, places, devices and folds, as in DCASE2020 Task 1A."""

from dataclasses import dataclass

from ...errors import InputError
from .devices import DEVICES, REFERENCE
from .scenes import SCENES

CITIES = (
    "barcelona",
    "helsinki",
    "lisbon",
    "london",
    "lyon",
    "milan",
    "paris",
    "prague",
    "stockholm",
    "vienna",
)
# Two thirds of the training fold are the device of reference, the rest these in turn.
_ALSO_TRAINING = ("b", "c", "s1", "s2", "s3")
_TRAINING_TURN = tuple(name for other in _ALSO_TRAINING for name in (REFERENCE, REFERENCE, other))
_CLIPS_PER_LOCATION = 2
_TRIOS = 3


@dataclass(frozen=True)
class Recording:
    """One clip: a segment of a scene at a location of a city, recorded by a device."""

    scene: str
    city: str
    location: int
    segment: int
    device: str

    @property
    def filename(self) -> str:
        """Path below the folder of the data set."""
        parts = (self.scene, self.city, self.location, self.segment, self.device)
        return f"audio/{'-'.join(map(str, parts))}.wav"

    @property
    def identifier(self) -> str:
        """What recordings of the same location share."""
        return f"{self.city}-{self.location}"


def folds(clips: int) -> tuple[list[Recording], list[Recording]]:
    """Return the training fold, ``clips`` recordings of each scene, and the test fold.

    Two training clips share a location. The test fold has 9 · (clips // 9) clips of each scene,
    as many from every device. Three devices hear the same test segment, one of a–c, one of s1–s3
    and one of s4–s6, so that seen and unseen devices are compared on the same sounds; each test
    segment is from a location of its own. No location is in both folds.

    Raises InputError if no clip is left for the test fold.
    """
    groups = [tuple(DEVICES)[first::_TRIOS] for first in range(_TRIOS)]
    segments = clips // len(DEVICES) * len(groups)
    if segments < 1:
        raise InputError(
            f"clips: {clips} per scene leave none for some device of the test fold;"
            f" use {len(DEVICES)} or more"
        )
    visited = -(-clips // _CLIPS_PER_LOCATION)
    train, test = [], []
    for number, scene in enumerate(SCENES):
        first = number * (visited + segments)
        for clip in range(clips):
            device = _TRAINING_TURN[len(train) % len(_TRAINING_TURN)]
            train.append(_at(scene, first, clip // _CLIPS_PER_LOCATION, clip, device))
        for segment in range(segments):
            at = visited + segment
            for device in groups[segment % len(groups)]:
                test.append(_at(scene, first, at, clips + segment, device))
    return train, test


def _at(scene: str, first: int, place: int, segment: int, device: str) -> Recording:
    """Return a recording at the place'th location of a scene, whose first has a number."""
    return Recording(scene, CITIES[place % len(CITIES)], first + place, segment, device)
