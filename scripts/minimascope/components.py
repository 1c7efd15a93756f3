"""What a component of the workflow is: a function or class that is found by its name.

Places are kept as text, so that a configuration can be checked without importing torch; a
component is imported when it is first used.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

# What data sets consist of: images, unless their source gives something else.
IMAGES, RECORDINGS, POINTS = "images", "recordings", "points"
# What studies of analytic functions are about.
TOYS = "toys"


@dataclass(frozen=True)
class Component:
    """Where a component lives (``module:function``); its options are in the schema of studies.

    ``needs`` are the tables of the study that it takes first (results/<study>/tables/<name>.csv);
    ``gives`` names what it computes.
    """

    location: str
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()

    def load(self) -> Callable:
        """Import and return the component."""
        return load(self.location)


def load(location: str) -> Callable:
    """Import and return what lives at a place (``module:function``)."""
    module, _, name = location.partition(":")
    return getattr(import_module(f".{module}", __package__), name)


def component(location: str, *needs: str, gives: Iterable[str] = ()) -> Component:
    return Component(location, needs, tuple(gives))
