"""What a valid study will not be able to say."""

from collections.abc import Iterator

from ..analysis.rank_correlation import FEWEST
from .study import Study


def remarks(study: Study) -> Iterator[str]:
    """Yield a line for each kind of finding that a study is too small for."""
    conditions = len(study.conditions)
    if not study.pairs:
        return
    if study.baseline is None and conditions > 1:
        yield (
            "note: no condition is called baseline, and analysis.baseline names none: claims 1 and"
            " 2, the table statistics and the figure of differences stay empty; set"
            f" analysis.baseline, such as to {study.conditions[0]}"
        )
    if len(study.seeds) == 1:
        yield "note: 1 seed: differences have no error, so no claim can be decided; use two or more"
    if conditions < FEWEST:
        plural = "" if conditions == 1 else "s"
        yield (
            f"note: {conditions} condition{plural}: no correlation over conditions can be sure with"
            f" fewer than {FEWEST}; differences between conditions can"
        )
