"""One table per kind of thing: to add one, write its module and add its line here.

The tables hold names and places only, so that a configuration can be checked without importing
torch; a component is imported when it is first used.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Component:
    """Where a component lives (``module:function``) and which configuration keys are its own.

    Of its ``options`` those in ``required`` have no default.
    """

    location: str
    options: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()

    @property
    def module(self) -> str:
        """The module's name inside the library, for example ``networks.resnet``."""
        return self.location.partition(":")[0]

    def load(self) -> Callable:
        """Import and return the component."""
        module, _, name = self.location.partition(":")
        return getattr(import_module(f".{module}", __package__), name)


def _component(location: str, *options: str, required: Iterable[str] = ()) -> Component:
    return Component(location, frozenset(options), frozenset(required))


NETWORKS = {
    "resnet18": _component("networks.resnet:resnet18"),
    "vgg19": _component("networks.vgg:vgg19"),
    "vit": _component("networks.vit:vit", "patch_size"),
}
SOURCES = {
    "digits": _component("data.digits:load", "train_size", "split_seed"),
    "image_folder": _component("data.image_folder:load", "path", "image_size", required=["path"]),
}
OPTIMIZERS = {
    "sgd": _component("optim.standard:sgd", "momentum", "nesterov"),
    "adam": _component("optim.standard:adam", "betas", "eps"),
    "adamw": _component("optim.standard:adamw", "betas", "eps"),
    "rmsprop": _component("optim.standard:rmsprop", "momentum", "alpha", "eps"),
}
SHARPNESS = {
    "forward": _component("sharpness.forward:measure"),
    "perturbation": _component("sharpness.perturbation:measure", "radius", "samples", "dtype"),
}
# A figure's options are the tables it is drawn from (results/<study>/tables/<name>.csv).
FIGURES = {
    "controls": _component("plots.controls:plot", "measures", "disagreement"),
    "sharpness_evaluation": _component("plots.sharpness_evaluation:plot", "measures"),
    "training_curves": _component("plots.training_curves:plot", "history"),
    "reliability": _component("plots.reliability:plot", "reliability"),
    "disagreement": _component("plots.disagreement:plot", "disagreement"),
}
