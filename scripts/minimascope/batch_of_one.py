"""Batches of a single input, for which BatchNorm is undefined, and what is held out of training.

No torch is imported here.
"""

import math

# A loss over fewer inputs says more about these than about a network.
FEWEST_HELD_OUT = 10


def held_out(share: float, inputs: int) -> int:
    """Return how many training inputs are held out for validation: a share, but not all or none.

    >>> held_out(0.2, 20), held_out(0.01, 20), held_out(0.99, 20)
    (4, 1, 19)
    """
    return min(max(1, round(share * inputs)), inputs - 1)


def few_held_out(share: float, inputs: int, classes: int) -> str:
    """Return what is wrong where too few inputs are held out for a validation loss, else nothing.

    Args:
        share: that is held out.
        inputs: of the training split.
        classes: of the data set.

    >>> few_held_out(0.1, 100, 10)
    ''
    """
    wanted, found = max(FEWEST_HELD_OUT, classes), held_out(share, inputs)
    if found >= wanted:
        return ""
    # Rounded up, so that it is enough.
    enough = math.ceil(1000 * wanted / inputs) / 1000
    remedy = f"raise it to {enough} or more" if wanted < inputs else "use more training samples"
    why = ", one for each class" if classes > FEWEST_HELD_OUT else ""
    return (
        f"{share} of {inputs} training samples holds out {found}; a validation loss takes {wanted}"
        f" or more{why}; {remedy}"
    )


def batch_of_one(batch_size: int, inputs: int, group_size: int | None = None) -> str:
    """Return what is wrong where the last of an epoch's batches has one input, else nothing.

    Args:
        batch_size: inputs per step.
        inputs: in an epoch.
        group_size: inputs per pass where SAM ascends for groups of a batch by themselves.

    >>> batch_of_one(20, 40), batch_of_one(20, 22)
    ('', '')
    """
    name, size = ("sam.group_size", group_size) if group_size else ("batch_size", batch_size)
    if ((inputs % batch_size or batch_size) % size or size) != 1:
        return ""
    return (
        f"training.{name}: {size} leaves a batch of one input ({inputs} in all), for"
        " which BatchNorm is undefined; choose another"
    )
