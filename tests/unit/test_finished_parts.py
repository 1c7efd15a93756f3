"""A landscape that is interrupted between pairs of directions continues, with the same numbers."""

import numpy as np
import pytest
import torch
from sharpness_cases import images, network, subject_of

from minimascope.errors import InputError
from minimascope.finished import FinishedParts
from minimascope.sharpness import landscape
from minimascope.tensors import save_tensors

CPU = torch.device("cpu")
SETTINGS = {
    "points": 3,
    "line_points": 3,
    "direction_seeds": [1, 2],
    "more_direction_seeds": [7, 8],
}


class KilledError(Exception):
    """Where a test interrupts."""


@pytest.fixture
def subject():
    return subject_of(network("resnet18").float(), images("resnet18", 8))


def measured(subject, finished=None, **changes):
    return landscape.measure(
        subject, torch.Generator().manual_seed(0), **SETTINGS | changes, finished=finished
    )


def assert_same(found, expected):
    assert found.measurements == expected.measurements
    assert found.details == expected.details
    assert found.arrays.keys() == expected.arrays.keys()
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)


def interrupt_after(surfaces, monkeypatch):
    """Interrupt the next measurement before a surface or line; list those it computed."""
    computed, real = [], landscape.loss_surface

    def limited(*arguments):
        if len(computed) == surfaces:
            raise KilledError
        computed.append(1)
        return real(*arguments)

    monkeypatch.setattr(landscape, "loss_surface", limited)
    return computed


@pytest.mark.parametrize("surfaces", range(1, 8))
def test_an_interrupted_landscape_continues_with_the_pairs_that_are_left(
    surfaces, subject, tmp_path, monkeypatch
):
    expected = measured(subject)
    path = tmp_path / "landscape.checkpoint.safetensors"
    monkeypatch.setattr("minimascope.finished.LARGEST_OVERHEAD", np.inf)
    with monkeypatch.context() as patched:
        interrupt_after(surfaces, patched)
        with pytest.raises(KilledError):
            measured(subject, FinishedParts(path, {"seed": 0}, CPU))
    finished = FinishedParts(path, {"seed": 0}, CPU)
    computed = interrupt_after(100, monkeypatch)
    assert_same(measured(subject, finished), expected)
    # A pair is a surface and a line; one that was not finished is computed as a whole.
    assert len(computed) == 8 - 2 * (surfaces // 2)
    assert (finished.seconds > 0) == (surfaces >= 2)
    finished.remove()
    assert list(tmp_path.iterdir()) == []


def test_pairs_are_kept_where_writing_takes_little_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("minimascope.finished.time.perf_counter", lambda: clock[0])

    def slow_save(*arguments, **metadata):
        clock[0] += 1
        save_tensors(*arguments, **metadata)

    monkeypatch.setattr("minimascope.finished.save_tensors", slow_save)
    finished = FinishedParts(tmp_path / "parts.safetensors", {}, CPU)
    kept = []
    # Each write takes a second; the third pair takes less than twenty.
    finished.restore()
    for pairs, duration in enumerate((1, 20, 19, 1), 1):
        clock[0] += duration
        finished.save_if_cheap({f"surface.{pair}": torch.zeros(3) for pair in range(pairs)})
        again = FinishedParts(finished.path, {}, CPU)
        kept.append((len(again.restore()), again.seconds))
    assert kept == [(1, 1), (2, 22), (2, 22), (4, 43)]


@pytest.mark.parametrize("other", [{"seed": 1}, {"seed": 0, "settings": {"points": 5}}])
def test_parts_of_another_measurement_are_not_taken(other, subject, tmp_path):
    path = tmp_path / "parts.safetensors"
    FinishedParts(path, {"seed": 0}, CPU).save_if_cheap({"surface.1": torch.zeros(3, 3)})
    assert FinishedParts(path, {"seed": 0}, CPU).restore().keys() == {"surface.1"}
    assert FinishedParts(path, other, CPU).restore() == {}
    assert_same(measured(subject, FinishedParts(path, other, CPU)), measured(subject))


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "parts.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"parts\.safetensors: .*; delete it and run again"):
        FinishedParts(path, {}, CPU).restore()


def test_more_directions_leave_the_measures_as_they_are(subject):
    few, more = measured(subject, more_direction_seeds=[]), measured(subject)
    assert few.measurements == more.measurements
    assert more.details["direction_seeds"] == [1, 2, 7, 8]
    assert more.details["asc_sharpness"][:2] == few.details["asc_sharpness"]
    as_others = measured(subject, direction_seeds=[7, 8], more_direction_seeds=[])
    assert more.details["asc_sharpness"][2:] == as_others.details["asc_sharpness"]
    np.testing.assert_array_equal(more.arrays["surfaces"][2:], as_others.arrays["surfaces"])
