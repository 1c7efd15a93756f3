"""Which measure survives which symmetry: the table of the docs, and what theory says of it."""

import pytest

import symmetries
from minimascope.measurement import Measurement
from symmetries import AVERAGE, NO, SYMMETRIES, YES, along, data, trained, verdict


def test_the_table_of_the_docs_is_what_networks_along_symmetries_show():
    written = symmetries.PAGE.read_text(encoding="utf-8")
    assert symmetries.BLOCK.search(written)
    assert symmetries.filled(written) == written, "out of date; run `make docs`"


RESCALINGS = {
    *("before BatchNorm", "rectifiers", "LayerNorm"),
    *("query–key, factors", "value–output, factors"),
}
MIXING = {"query–key, matrix", "value–output, matrix"}


def survived(measure: str) -> set[str]:
    """Return the symmetries that a measure survives by the table, which the test above makes."""
    text = symmetries.PAGE.read_text(encoding="utf-8")
    lines = symmetries.BLOCK.search(text)[0].splitlines()
    (line,) = (line for line in lines if f"`{measure}`" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")][1:]
    return {name for name, cell in zip(SYMMETRIES, cells, strict=True) if cell == YES}


@pytest.mark.parametrize("case", ["average", "worst"])
def test_adaptive_sharpness_survives_every_rescaling_and_no_mixing(case):
    assert survived(f"adaptive_sharpness_{case}") >= RESCALINGS
    assert not survived(f"adaptive_sharpness_{case}") & MIXING


@pytest.mark.parametrize("case", ["average", "worst"])
def test_quotient_sharpness_survives_the_symmetry_of_attention(case):
    assert survived(f"quotient_sharpness_{case}") >= MIXING | RESCALINGS - {"LayerNorm"}


def test_what_depends_on_outputs_alone_survives_all():
    for measure in ("fisher_rao_norm", "jacobian_norm", "logit_margin"):
        assert survived(measure) == set(SYMMETRIES)


def test_orthogonal_changes_of_parameters_leave_every_curvature_and_length():
    for measure in ("hessian_trace", "gauss_newton_top_eigenvalue", "squared_weight_norm"):
        assert survived(measure) == {"permutation", "signs of tanh"}


def test_path_norms_survive_what_rectifiers_allow():
    assert survived("log_path_norm") == set(symmetries.OF_RECTIFIERS)


def value(number: float, error: float | None = None) -> Measurement:
    return Measurement("some_measure", number, "1", 10, standard_error=error)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (value(2.0), value(2.0 + 1e-9), YES),
        (value(2.0), value(2.1), NO),
        (value(2.0, 0.1), value(2.3, 0.1), AVERAGE),
        (value(2.0, 0.1), value(9.0, 0.5), NO),
    ],
)
def test_a_difference_is_rounding_or_draws_or_neither(before, after, expected):
    assert verdict(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after"), [(value(2.0), value(2.0002)), (value(2.0, 0.1), value(2.7, 0.1))]
)
def test_what_cannot_be_told_gets_no_verdict(before, after):
    with pytest.raises(ValueError, match=r"some_measure: .* neither alike nor different"):
        verdict(before, after)


def test_a_change_of_the_function_is_no_symmetry():
    split = data()
    _, network = trained(False, split)
    with pytest.raises(AssertionError, match="not close"):
        along(network, lambda other: other.second.bias.add_(1), split)
