"""A landscape that is interrupted between pairs of directions continues, with the same numbers."""

import numpy as np
import pytest
import torch
from sharpness_cases import images, network, subject_of

from minimascope.errors import InputError
from minimascope.finished import FinishedParts
from minimascope.measurement import Measured, Measurement
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
    monkeypatch.setattr("minimascope.state_file.LARGEST_OVERHEAD", np.inf)
    with monkeypatch.context() as patched:
        interrupt_after(surfaces, patched)
        with pytest.raises(KilledError):
            measured(subject, FinishedParts(path, {"seed": 0}, CPU).section("all"))
    finished = FinishedParts(path, {"seed": 0}, CPU)
    computed = interrupt_after(100, monkeypatch)
    assert_same(measured(subject, finished.section("all")), expected)
    # A pair is a surface and a line; one that was not finished is computed as a whole.
    assert len(computed) == 8 - 2 * (surfaces // 2)
    assert (finished.seconds > 0) == (surfaces >= 2)
    finished.remove()
    assert list(tmp_path.iterdir()) == []


def test_pairs_are_kept_where_writing_takes_little_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("minimascope.state_file.time.perf_counter", lambda: clock[0])

    def slow_save(*arguments, **metadata):
        clock[0] += 1
        save_tensors(*arguments, **metadata)

    monkeypatch.setattr("minimascope.state_file.save_tensors", slow_save)
    path = tmp_path / "parts.safetensors"
    section, kept = FinishedParts(path, {}, CPU).section("all"), []
    # Each write takes a second; the third pair takes less than twenty.
    for pairs, duration in enumerate((1, 20, 19, 1), 1):
        clock[0] += duration
        section.save_if_cheap({f"surface.{pair}": torch.zeros(3) for pair in range(pairs)})
        again = FinishedParts(path, {}, CPU)
        kept.append((len(again.section("all").restore()), again.seconds))
    assert kept == [(1, 1), (2, 22), (2, 22), (4, 43)]


@pytest.mark.parametrize("other", [{"seed": 1}, {"seed": 0, "settings": {"points": 5}}])
def test_parts_of_another_measurement_are_not_taken(other, subject, tmp_path):
    path = tmp_path / "parts.safetensors"

    def section(identity):
        return FinishedParts(path, identity, CPU).section("all")

    section({"seed": 0}).save_if_cheap({"surface.1": torch.zeros(3, 3)})
    assert section({"seed": 0}).restore().keys() == {"surface.1"}
    assert section(other).restore() == {}
    assert_same(measured(subject, section(other)), measured(subject))


def test_parts_of_another_device_or_version_of_torch_are_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "parts.safetensors"
    FinishedParts(path, {}, CPU).section("all").save_if_cheap({"surface.1": torch.zeros(3, 3)})
    for changed in ("device_name", "torch.__version__"):
        with monkeypatch.context() as patched:
            value = "99.0.0" if changed == "torch.__version__" else lambda device: "other"
            patched.setattr(f"minimascope.state_file.{changed}", value)
            assert FinishedParts(path, {}, CPU).section("all").restore() == {}


def test_sections_keep_their_own_parts_and_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("minimascope.state_file.LARGEST_OVERHEAD", np.inf)
    path, surface = tmp_path / "parts.safetensors", torch.ones(2, 2)
    found = Measured(
        [Measurement("asc_sharpness", 0.1, "percent", 3, standard_error=1 / 3)],
        {"direction_seeds": [1, 2]},
        {"surfaces": np.arange(6.0).reshape(2, 3)[:, ::-1]},
    )
    finished = FinishedParts(path, {}, CPU)
    for name in ("all", "domain/A"):
        finished.section(name).save_if_cheap({"surface.1": surface * len(name)})
    finished.section("domain/A").finish(found)
    again = FinishedParts(path, {}, CPU)
    assert again.section("all").measured() is None
    assert torch.equal(again.section("all").restore()["surface.1"], 3 * surface)
    assert_same(again.section("domain/A").measured(), found)


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
