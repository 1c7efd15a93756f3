"""How many minutes jobs of sharpness ask a cluster for."""

import pytest
from study_cases import study

from minimascope.jobs.minutes import sharpness_minutes
from minimascope.study.sizes import Size

# Of the log-mels of DCASE 2020.
SCENES = Size(13_962, 2_968, 10, (1, 64, 1001))
ONE_PAIR = {"points": 11, "line_points": 0, "direction_seeds": [1]}
# What a family is measured with, and the minutes without and with domains. Without them a
# landscape asks for 240, or 40 seconds for each pass; with them three times, but that lines and
# eigenvectors (some 480 passes) are of the whole data alone.
CASES = {
    "a pair, 121 passes": ("landscape", ONE_PAIR, 240, 720),
    "three pairs": ("landscape", ONE_PAIR | {"direction_seeds": [1, 2, 3]}, 242, 726),
    "ten pairs": ("landscape", ONE_PAIR | {"direction_seeds": list(range(10))}, 807, 2420),
    "lines": ("landscape", ONE_PAIR | {"line_points": 500}, 414, 576),
    "eigenvectors": ("landscape", ONE_PAIR | {"eigenvectors": True}, 404, 565),
    "perturbations": ("perturbation", {"published": False, "adaptive": None}, 120, 360),
    "eigenvalues and trace": ("hessian", {"density_probes": 0}, 240, 720),
}


@pytest.mark.parametrize(
    ("family", "settings", "whole", "by_domain"), CASES.values(), ids=CASES.keys()
)
def test_jobs_ask_for_the_minutes_of_their_passes(family, settings, whole, by_domain):
    own = {family: study(sharpness={family: settings}).settings_of(family, "small")}
    assert sharpness_minutes(family, own, [], SCENES) == whole
    assert sharpness_minutes(family, own, [family], SCENES) == by_domain


@pytest.mark.parametrize(
    ("size", "minutes"),
    [
        (SCENES, 807),
        (Size(13_962, 2_968, 10, (1, 64, 500)), 403),
        # The least is that of every landscape.
        (Size(1_000, 797, 10, (1, 8, 8)), 240),
        # No more is asked for larger data, nor for those whose size only their files tell.
        (Size(100_000, 10_000, 200, (3, 64, 64)), 807),
        (Size(shape=(1, 8, 8)), 807),
        (Size(train=1_000), 807),
    ],
)
def test_a_landscape_of_smaller_data_asks_for_less(size, minutes):
    ten = ONE_PAIR | {"direction_seeds": list(range(10))}
    own = {"landscape": study(sharpness={"landscape": ten}).settings_of("landscape", "small")}
    assert sharpness_minutes("landscape", own, [], size) == minutes
