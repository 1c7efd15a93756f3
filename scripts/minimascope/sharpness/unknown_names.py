"""What to say of a name that is no measure of a network."""

from ..errors import nearest
from ..registry import EVALUATION, OF_SNAPSHOTS, SHARPNESS
from .radii import AtRadius


def is_of_trainings(name: str) -> bool:
    """Return whether a name is that of a family, or measure, of weights on the way alone.

    >>> is_of_trainings("critical_sharpness"), is_of_trainings("sam_sharpness")
    (True, False)
    """
    families = {key: family for key, family in OF_SNAPSHOTS.items() if key != EVALUATION}
    return name in families or any(name in family.gives for family in families.values())


def remedy(name: str) -> str:
    """Return what to do about an unknown name of a measure or family.

    >>> remedy("sam_sharpness_0.1")
    'write sam_sharpness_0p1'
    """
    if is_of_trainings(name):
        return (
            "it is of the weights that a training passes through, which takes a study with"
            " training.keep; leave it out"
        )
    if AtRadius.parse(in_names := name.replace(".", "p")):
        return f"write {in_names}"
    known = [measure for family in SHARPNESS.values() for measure in family.gives]
    return nearest(name, [*SHARPNESS, *known])
