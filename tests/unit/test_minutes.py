"""How many minutes jobs of sharpness ask a cluster for."""

import pytest
from study_cases import study

from minimascope.jobs.minutes import sharpness_minutes

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
    assert sharpness_minutes(family, own, []) == whole
    assert sharpness_minutes(family, own, [family]) == by_domain
