"""What is known of statements, and of those made of others."""

import math

from hypothesis import given
from hypothesis import strategies as st

from minimascope.analysis.evidence import (
    CONTRADICTED,
    INCONCLUSIVE,
    SIGNIFICANT,
    SUPPORTED,
    Evidence,
    all_of,
    any_of,
    unknown,
)

P_VALUES = st.floats(0, 1)
# A study of single tests: p, 1 - p.
STATEMENTS = st.lists(P_VALUES.map(lambda p: Evidence(p, 1 - p)), min_size=1, max_size=5)


@given(STATEMENTS)
def test_one_of_them_is_not_none_of_them(statements):
    assert any_of(statements) == ~all_of([~statement for statement in statements])
    assert ~~any_of(statements) == any_of(statements)


@given(STATEMENTS)
def test_all_are_as_sure_as_the_least_sure_and_one_needs_bonferroni(statements):
    every, some = all_of(statements), any_of(statements)
    assert every.p_for == max(s.p_for for s in statements)
    assert every.p_against == min(1, len(statements) * min(s.p_against for s in statements))
    assert some.p_for == min(1, len(statements) * min(s.p_for for s in statements))
    assert some.p_against == max(s.p_against for s in statements)


@given(STATEMENTS, st.randoms())
def test_the_order_of_statements_changes_nothing(statements, random):
    shuffled = random.sample(statements, len(statements))
    assert all_of(shuffled) == all_of(statements)
    assert any_of(shuffled).verdict == any_of(statements).verdict


@given(STATEMENTS)
def test_nothing_is_supported_and_contradicted(statements):
    for found in (all_of(statements), any_of(statements), all_of([any_of(statements)])):
        assert max(found.p_for, found.p_against) >= 0.5


def test_a_verdict_begins_at_the_end_of_an_interval():
    at = Evidence(SIGNIFICANT, 1 - SIGNIFICANT)
    assert (at.verdict, (~at).verdict) == (SUPPORTED, CONTRADICTED)
    just = Evidence(math.nextafter(SIGNIFICANT, 1), 1.0)
    assert (just.verdict, (~just).verdict) == (INCONCLUSIVE, INCONCLUSIVE)


def test_what_is_not_known_neither_supports_nor_contradicts():
    known = Evidence(0.001, 0.999)
    assert all_of([known, unknown("nothing")]).verdict == INCONCLUSIVE
    assert any_of([known, unknown("nothing")]).verdict == SUPPORTED
    assert all_of([known, unknown("nothing")]).decisive_for == "nothing"
