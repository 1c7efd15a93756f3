"""Ten acoustic scenes, named as in DCASE2020 Task 1A.

A scene is a function (place, moment, n) -> [n]. What it draws from the generator ``place`` is the
same in every segment of a location (pitches, sizes, how busy it is); what it draws from
``moment`` differs from segment to segment (noise, the times of events). The steady part of each
scene has an RMS of about 1; `render` brings it to its level.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from .signals import (
    SAMPLE_RATE,
    babble,
    beeps,
    chime,
    gain,
    impact,
    machine,
    noise,
    pass_by,
    place_events,
    random_times,
    regular_times,
    reverberate,
    song,
    timbre,
    tone,
    turns,
    voice,
    wander,
)

Scene = Callable[[Generator, Generator, int], np.ndarray]

# A clip's largest sample before a device hears it: what they amplify stays below full scale.
HEADROOM = 0.4


def airport(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """A large hall: ventilation, many distant voices, rolling suitcases, a gong."""
    dry = 0.8 * noise(moment, n, 60, place.uniform(500, 900), tilt=-2)
    dry += gain(place.uniform(-6, 0)) * babble(moment, n, 30)
    wheels = regular_times(moment, n, place.uniform(0.05, 0.08), 0.012)
    rattle = place_events(moment, n, wheels, impact(place, 0.006, 900, 2500))
    dry += gain(place.uniform(-2, 4)) * rattle * gain(8 * wander(moment, n, 1) - 8)
    pitch = place.uniform(450, 700)
    gong = chime([pitch, pitch * 0.8], 0.3, 0.2)
    dry += gain(4) * place_events(moment, n, random_times(moment, n, 0.4), gong)
    return reverberate(place, dry, place.uniform(0.9, 1.4), -1)


def shopping_mall(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """A hall with music: voices, chords from loudspeakers, steps, tills."""
    dry = 0.6 * noise(moment, n, 80, place.uniform(500, 1000), tilt=-2)
    dry += gain(place.uniform(-4, 1)) * babble(moment, n, 14)
    root = 220 * 2 ** (place.integers(0, 12) / 12)
    beat = place.uniform(0.4, 0.7)
    period = timbre(place, 1 / np.arange(1, 9))
    bar = (moment.uniform(0, 4) + turns(1 / beat, n)).astype(np.int64)
    steps = np.array([0, 5, 7, 9])[moment.integers(0, 4, bar[-1] + 1)][bar]
    notes = [tone(period, turns(root * 2 ** ((steps + k) / 12), n)) for k in (0, 4, 7)]
    dry += gain(place.uniform(-9, -3)) * np.sum(notes, axis=0)
    till = beeps(place.uniform(1800, 2600), 8, 1)
    dry += gain(-2) * place_events(moment, n, random_times(moment, n, 0.6), till)
    dry += _steps(place, moment, n, gain(2), 3)
    return reverberate(place, dry, place.uniform(0.5, 0.9), -3)


def metro_station(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """A tiled tunnel: a train that comes or goes, voices, announcements, door signals."""
    dry = 0.7 * noise(moment, n, 50, place.uniform(300, 600), tilt=-2)
    dry += gain(place.uniform(-8, -2)) * babble(moment, n, 10)
    train = noise(moment, n, 90, place.uniform(900, 1600), tilt=-1)
    dry += gain(moment.uniform(-4, 8)) * train * pass_by(moment, n, 0.5)
    if moment.uniform() < 0.4:
        dry += gain(3) * voice(moment, n)
    dry += _doors(place, moment, n, gain(2), 0.4)
    dry += _steps(place, moment, n, gain(3), 2)
    return reverberate(place, dry, place.uniform(1.2, 1.8), 2)


def metro(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """In an underground train: roaring wheels, quick rail joints, a rising motor."""
    roar = noise(moment, n, 70, place.uniform(700, 1300), tilt=-2)
    roar *= gain(1.5 * wander(moment, n, 6))
    whine = place.uniform(350, 700) * 2 ** (np.linspace(0, moment.normal(0, 0.4), n))
    sound = roar + gain(place.uniform(-16, -8)) * machine(place, whine, n, 6, -5)
    sound += _rails(place, moment, n, place.uniform(0.22, 0.4), 500)
    sound += _doors(place, moment, n, gain(-2), 0.25)
    sound += gain(place.uniform(-14, -6)) * babble(moment, n, 6)
    return reverberate(place, sound, 0.4, -6)


def tram(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """In a tram: softer wheels, slow rail joints, a humming motor, squeals, a bell, voices."""
    sound = noise(moment, n, 60, place.uniform(400, 900), tilt=-3)
    hum = place.uniform(90, 200) * 2 ** (np.linspace(0, moment.normal(0, 0.2), n))
    sound += gain(place.uniform(-10, -3)) * machine(place, hum, n, 12, -4)
    sound += _rails(place, moment, n, place.uniform(0.5, 0.9), 900)
    pitch = place.uniform(2200, 4200) * 2 ** (0.02 * wander(moment, n, 8))
    squeal = machine(place, pitch, n, 3, -9) * gain(10 * wander(moment, n, 2))
    sound += gain(place.uniform(-26, -16)) * squeal
    bell = chime([place.uniform(1300, 1900)], 0, 0.25)
    sound += gain(2) * place_events(moment, n, random_times(moment, n, 0.3), bell)
    return sound + gain(place.uniform(-8, 0)) * babble(moment, n, 4)


def bus(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """In a bus: a diesel's many harmonics, rumble, rattling parts, the hiss of brakes."""
    sound = noise(moment, n, 40, place.uniform(200, 500), tilt=-3)
    speed = place.uniform(22, 40) * 2 ** (0.08 * wander(moment, n, 2) + moment.normal(0, 0.15))
    sound += gain(place.uniform(-2, 4)) * machine(place, speed, n, 40, -4)
    rattle = impact(place, 0.008, 1200, 4000)
    sound += place_events(moment, n, random_times(moment, n, place.uniform(4, 14)), rattle)
    hiss = impact(place, 0.12, 2500, 9000)
    sound += place_events(moment, n, random_times(moment, n, 0.4), hiss)
    return sound + gain(place.uniform(-12, -3)) * babble(moment, n, 4)


def park(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """Wind, leaves and birds, a city far away."""
    wind = noise(moment, n, 30, 150, tilt=-3) * gain(4 * wander(moment, n, 1.5))
    leaves = noise(moment, n, 1800, 7000, tilt=-2) * gain(3 * wander(moment, n, 3))
    sound = wind + gain(place.uniform(-14, -4)) * leaves
    sound += gain(place.uniform(-6, 0)) * noise(moment, n, 60, 500, tilt=-2)
    for _ in range(2):
        low = place.uniform(2000, 5000)
        bird = song(place, low, low * place.uniform(1.1, 1.6))
        times = random_times(moment, n, place.uniform(0.4, 1.6))
        sound += gain(place.uniform(-4, 4)) * place_events(moment, n, times, bird)
    return sound + _steps(place, moment, n, gain(-2), 0.7)


def public_square(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """An open place: many voices, a fountain, steps, traffic far away, now and then a bird."""
    sound = noise(moment, n, 50, place.uniform(250, 500), tilt=-2)
    sound += gain(place.uniform(-6, 0)) * babble(moment, n, 12)
    sound += gain(place.uniform(-22, -8)) * noise(moment, n, 1500, 6000)
    sound += _steps(place, moment, n, gain(1), place.uniform(1, 3))
    low = place.uniform(2000, 4000)
    bird = song(place, low, low * 1.3)
    sound += gain(-4) * place_events(moment, n, random_times(moment, n, 0.5), bird)
    return sound


def street_pedestrian(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """A street without cars: many steps, people who talk nearby, traffic far away."""
    sound = noise(moment, n, 50, place.uniform(300, 600), tilt=-2)
    sound += gain(place.uniform(-8, -2)) * babble(moment, n, 6)
    for _ in range(moment.integers(1, 3)):
        sound += gain(moment.uniform(-6, 3)) * voice(moment, n)
    return sound + _steps(place, moment, n, gain(6), place.uniform(3, 6))


def street_traffic(place: Generator, moment: Generator, n: int) -> np.ndarray:
    """A busy road: cars that pass with hissing tyres and an engine, others farther away."""
    sound = noise(moment, n, 50, place.uniform(600, 1200), tilt=-2)
    for _ in range(2):
        near = pass_by(moment, n, place.uniform(0.3, 0.9))
        tyres = noise(moment, n, 500, place.uniform(1500, 3000), tilt=-1)
        motor = machine(moment, moment.uniform(40, 80), n, 20, -5)
        sound += gain(moment.uniform(-4, 6)) * (near**1.5 * tyres + 0.6 * near * motor)
    horn = chime([place.uniform(380, 480)], 0, 0.2)
    return sound + gain(3) * place_events(moment, n, random_times(moment, n, 0.1), horn)


def _doors(place: Generator, moment: Generator, n: int, weight: float, rate: float) -> np.ndarray:
    """Return signals of closing doors, ``rate`` per second on average."""
    signal = beeps(place.uniform(900, 1500), 5, 4)
    return weight * place_events(moment, n, random_times(moment, n, rate), signal)


def _steps(
    place: Generator, moment: Generator, n: int, weight: float, walkers: float
) -> np.ndarray:
    """Return footsteps of ``walkers`` people on average, each at a pace of their own."""
    step = impact(place, place.uniform(0.01, 0.03), 150, place.uniform(800, 2500))
    track = np.zeros(n)
    for _ in range(moment.poisson(walkers)):
        times = regular_times(moment, n, moment.uniform(0.45, 0.65), 0.02)
        track += gain(moment.uniform(-10, 0)) * place_events(moment, n, times, step)
    return weight * track


def _rails(place: Generator, moment: Generator, n: int, period: float, pitch: float) -> np.ndarray:
    """Return loud double knocks of two axles on rail joints, one pair per ``period`` s."""
    knock = impact(place, 0.02, pitch / 4, pitch)
    axles = int(0.25 * period * SAMPLE_RATE)
    pair = np.zeros(axles + len(knock))
    pair[: len(knock)] += knock
    pair[axles:] += 0.8 * knock
    return gain(8) * place_events(moment, n, regular_times(moment, n, period, 0.003), pair)


# By name, in the order of DCASE's labels: the scene and its level in dBFS.
SCENES: dict[str, tuple[Scene, float]] = {
    "airport": (airport, -38),
    "bus": (bus, -34),
    "metro": (metro, -32),
    "metro_station": (metro_station, -37),
    "park": (park, -42),
    "public_square": (public_square, -39),
    "shopping_mall": (shopping_mall, -38),
    "street_pedestrian": (street_pedestrian, -39),
    "street_traffic": (street_traffic, -36),
    "tram": (tram, -35),
}


def render(name: str, place: Generator, moment: Generator, n: int) -> np.ndarray:
    """Return a segment [n] of a scene at its level, which varies from place to place."""
    scene, level = SCENES[name]
    level += place.normal(0, 3) + moment.normal(0, 1.5)
    sound = gain(level) * scene(place, moment, n)
    return sound * min(1.0, HEADROOM / np.abs(sound).max())
