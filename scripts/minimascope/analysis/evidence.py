"""What is known of a statement, as two p-values, and of statements that are made of others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# One side of a 95 % interval that excludes zero.
SIGNIFICANT = 0.025
# Of intervals: outside of them lies what a test on either side rejects.
LEVEL = 1 - 2 * SIGNIFICANT
VERDICTS = SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_APPLICABLE = (
    *("supported", "contradicted", "inconclusive", "not applicable"),
)


@dataclass(frozen=True)
class Evidence:
    """The p-values with which a statement's negation, and the statement itself, are rejected.

    Attributes:
        p_for: small if the data speak for the statement.
        p_against: small if they speak against it.
        decisive_for: the comparison that `p_for` is of, in words.
        decisive_against: that of `p_against`.
    """

    p_for: float
    p_against: float
    decisive_for: str = ""
    decisive_against: str = ""

    @property
    def verdict(self) -> str:
        """Supported, contradicted or inconclusive. At most one p-value is below one half."""
        if self.p_for <= SIGNIFICANT:
            return SUPPORTED
        return CONTRADICTED if self.p_against <= SIGNIFICANT else INCONCLUSIVE

    def __invert__(self) -> "Evidence":
        return Evidence(self.p_against, self.p_for, self.decisive_against, self.decisive_for)


def unknown(why: str) -> Evidence:
    """Return the evidence of a statement that no data speak of."""
    return Evidence(1.0, 1.0, why, why)


def all_of(statements: Sequence[Evidence]) -> Evidence:
    """Return the evidence that all statements hold.

    That they do, is as sure as the least sure one (an intersection-union test, Berger 1982); that
    one does not, needs the smallest p-value times their number (Bonferroni).

    Raises:
        ValueError: there are none.
    """
    last, first = _extreme(statements, max, "p_for"), _extreme(statements, min, "p_against")
    against = min(1.0, len(statements) * first.p_against)
    return Evidence(last.p_for, against, last.decisive_for, first.decisive_against)


def any_of(statements: Sequence[Evidence]) -> Evidence:
    """Return the evidence that at least one statement holds: not that all their negations do."""
    return ~all_of([~statement for statement in statements])


def _extreme(statements: Sequence[Evidence], choose: Callable, attribute: str) -> Evidence:
    return choose(statements, key=lambda statement: getattr(statement, attribute))
