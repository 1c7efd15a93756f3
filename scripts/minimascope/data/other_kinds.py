"""Of what kinds further test sets are, and which classes and shapes fit.

No torch is imported here.
"""

from collections.abc import Collection, Sequence

# With the classes of the data set, and with others.
SHIFTED, UNSEEN = "shifted", "unseen"
KINDS = (SHIFTED, UNSEEN)
# So many classes are named in a message.
NAMED = 5


def fault_of_classes(kind: str, there: Sequence[str], trained: Collection[str]) -> str | None:
    """Return what is wrong with the classes of a further test set, and the remedy; None if nothing.

    Args:
        kind: of the set.
        there: names of its classes.
        trained: names of the data set's classes.
    """
    if kind == SHIFTED:
        if strange := [each for each in there if each not in trained]:
            return (
                f"{_named(strange)} not of the data set, which has {_listed([*trained])}; name"
                " classes alike, choose some with classes, or list the set under unseen"
            )
    elif shared := [each for each in there if each in trained]:
        return (
            f"{_named(shared)} of the data set, too; choose others with classes, or list the set"
            " under shifted"
        )
    return None


def fault_of_shapes(there: str, trained: str) -> str:
    """Return what is wrong with inputs of another shape than the data set's, and the remedy.

    Args:
        there: what inputs of the set are, such as 1×16×16.
        trained: what those of the data set are.
    """
    return (
        f"inputs are {there}, those of the data set {trained}; make them alike, as with image_size"
    )


def _named(classes: Sequence[str]) -> str:
    several = len(classes) > 1
    return f"class{'es' * several} {_listed(classes)} {'are' if several else 'is'}"


def _listed(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
    return ", ".join(classes[:NAMED]) + more
