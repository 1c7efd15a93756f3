"""Names and numbers within sentences."""

from collections.abc import Iterable, Sequence

from .measure_names import describe


def in_words(measure: str, family: str = "evaluation") -> str:
    """Return a measure's label as it reads within a sentence.

    >>> in_words("test_ece"), in_words("fisher_rao_norm"), in_words("sam_sharpness")
    ('test ECE', 'Fisher–Rao norm', 'SAM-sharpness')
    """
    label, _, detail = describe(measure, family).label.partition(", ")
    first = label.split(" ")[0].replace("-", "")
    # Names of people, abbreviations and identifiers keep their letters.
    keeps = first == "Hessian" or not first[1:].isalpha() or not first[1:].islower()
    label = label if keeps else label[0].lower() + label[1:]
    return f"{label} ({detail})" if detail else label


def all_in_words(measures: Iterable[str]) -> str:
    """Return evaluations as a list within a sentence."""
    return listed([in_words(measure) for measure in measures])


def listed(texts: Sequence[str]) -> str:
    """Return texts joined by commas and "and".

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "network"), counted(2000, "network")
    ('1 network', '2,000 networks')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
