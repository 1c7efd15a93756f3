"""Batches of a single input, for which BatchNorm is undefined. No torch is imported here."""


def held_out(share: float, inputs: int) -> int:
    """Return how many training inputs are held out for validation: a share, but not all or none.

    >>> held_out(0.2, 20), held_out(0.01, 20), held_out(0.99, 20)
    (4, 1, 19)
    """
    return min(max(1, round(share * inputs)), inputs - 1)


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
