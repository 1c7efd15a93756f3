"""Batches of a single input, for which BatchNorm is undefined. No torch is imported here."""


def batch_of_one(batch_size: int, inputs: int) -> str:
    """Return what is wrong where the last of an epoch's batches has one input, else nothing.

    >>> batch_of_one(20, 40), batch_of_one(20, 22)
    ('', '')
    """
    if (inputs % batch_size or batch_size) != 1:
        return ""
    return (
        f"training.batch_size: {batch_size} leaves a batch of one input ({inputs} in all), for"
        " which BatchNorm is undefined; choose another"
    )
