"""What a component of the workflow is: a function or class that is found by its name.

Places are kept as text, so that a configuration can be checked without importing torch; a
component is imported when it is first used.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from . import own_parts
from .errors import InputError

# What data sets consist of: images, unless their source gives something else.
IMAGES, RECORDINGS, POINTS = "images", "recordings", "points"
# What studies of analytic functions are about.
TOYS = "toys"


@dataclass(frozen=True)
class Component:
    """Where a component lives (``module:function``); its options are in the schema of studies.

    ``needs`` are the tables of the study that it takes first (results/<study>/tables/<name>.csv);
    ``gives`` names what it computes. ``file`` is the user's own one that it is a function of; the
    module of its location is then the name of that.
    """

    location: str
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    file: Path | None = None

    def load(self) -> Callable:
        """Import and return the component."""
        if self.file:
            return own_parts.load(self.file, self.location.partition(":")[2])
        return load(self.location)

    def call(self, given: Mapping[str, Any], **options: Any) -> Any:
        """Call the component with its options, and with what it has a parameter for.

        Args:
            given: what a component of its kind may take, by name.
            **options: its settings.
        """
        function = self.load()
        parameters = signature(function).parameters
        kinds = {parameter.kind for parameter in parameters.values()}
        # Functions of the library that take anything hand it on to others that know it.
        if self.file or Parameter.VAR_KEYWORD not in kinds:
            given = {key: given[key] for key in given if key in parameters}
        return function(**given, **options)

    def checked(self, result: Any, kind: type | tuple[type, ...], wanted: str) -> Any:
        """Return what the component returned, if that is of a kind; refuse it otherwise."""
        if not isinstance(result, kind):
            what = "nothing" if result is None else f"a {type(result).__name__}"
            raise InputError(f"{self.location} returned {what}; let it return {wanted}")
        return result


def load(location: str) -> Callable:
    """Import and return what lives at a place (``module:function``)."""
    module, _, name = location.partition(":")
    return getattr(import_module(f".{module}", __package__), name)


def component(location: str, *needs: str, gives: Iterable[str] = ()) -> Component:
    return Component(location, needs, tuple(gives))
