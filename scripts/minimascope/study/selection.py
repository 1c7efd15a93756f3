"""Which networks a family of sharpness measures is taken of, and on which of their data.

No torch is imported here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Keys of `only`, and what they are called one by one.
WORDS = {"seeds": "seed", "conditions": "condition", "networks": "network"}


@dataclass(frozen=True)
class Selection:
    """What a study says about a family besides its settings.

    Attributes:
        only: lists of ``seeds``, ``conditions`` and ``networks``, None for all; see `chosen`.
        more_directions: of landscapes, further pairs of directions (``direction_seeds``) and the
            networks that are cut along these, too (``only``).
        by_domain: whether it is measured on each domain of the training data, too.
    """

    only: Mapping[str, Any] | None = None
    more_directions: Mapping[str, Any] | None = None
    by_domain: bool = False

    @property
    def selects(self) -> bool:
        """Whether networks differ in whether, or how, they are measured."""
        return self.only is not None or self.more_directions is not None

    def settings(self, common: Mapping[str, Any], **network: Any) -> Mapping[str, Any] | None:
        """Return the settings of one network, or None if it is not measured.

        Args:
            common: settings of all networks of the data set.
            **network: the values that `chosen` takes.
        """
        if not chosen(self.only, **network):
            return None
        more = self.more_directions
        # Nothing is added for the usual case, so that earlier studies are not run again.
        if more is None or not chosen(more["only"], **network):
            return common
        return {**common, "more_direction_seeds": more["direction_seeds"]}


def chosen(only: Mapping[str, Any] | None, **network: Any) -> bool:
    """Return whether a network is one of those that ``only`` names.

    Args:
        only: lists by the keys of `WORDS`; None, also in place of a list, for all.
        **network: its ``seed``, ``condition`` and ``network``; what is not given is any.
    """
    lists = {WORDS[key]: names for key, names in (only or {}).items() if names is not None}
    return all(value in lists[key] for key, value in network.items() if key in lists)
