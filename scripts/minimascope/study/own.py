"""What is wrong with a study's use of the user's own file, as far as its text can tell."""

from collections.abc import Iterator

from ..analysis.measure_names import MEASURES
from ..components import Component
from ..errors import InputError, nearest
from ..registry import KINDS, SHARPNESS
from . import products
from .keys import key_of
from .parts_file import beside, shown
from .schema import texts
from .signatures import takes
from .study import OWN_SECTIONS, Study

# Names of files beside those of the user's own measures and evaluations.
TAKEN = {*MEASURES, *SHARPNESS, "evaluation", "adversarial", "predictions", "ensemble"}


def check_own(study: Study) -> None:
    """Raise InputError for the first fault, naming the key and the remedy."""
    _check_names(study)
    _check_tables(study)
    for where, component, setting, unused in _settings(study):
        if not takes(component, setting):
            raise InputError(
                f"{where}: {component.location} has no parameter {setting}; add one, or set"
                f" {where} to {unused}"
            )


def _check_names(study: Study) -> None:
    """Refuse functions with the names of what the workflow has itself."""
    tables = {
        *products.first_tables(study),
        *(g for t in KINDS["tables"].table.values() for g in t.gives),
    }
    names = TAKEN | study.measures_at_radii
    taken = {
        "sharpness": names,
        "evaluations": names | study.own("sharpness").keys(),
        "tables": {*KINDS["tables"].table, *tables},
        "figures": {*KINDS["figures"].table, "landscape"},
    }
    for kind, names in taken.items():
        for name in study.own(kind):
            if name in names:
                raise InputError(
                    f"{OWN_SECTIONS[kind]}.{study.parts.stem}:{name}: the workflow has a {name}"
                    " itself; rename the function"
                )


def _check_tables(study: Study) -> None:
    """Refuse tables and figures that are made of tables which the study does not have."""
    given = {name for table in products.tables(study).values() for name in table.gives}
    there = {*products.first_tables(study), *given}
    for kind in ("tables", "figures"):
        for name in study.own(kind):
            component = study.component(kind, name)
            for missing in (need for need in component.needs if need not in there):
                raise InputError(
                    f"{kind}.{study.parts.stem}:{name}: the study has no table {missing!r};"
                    f" {nearest(missing, there)} (each parameter without a default names one)"
                )


def _settings(study: Study) -> Iterator[tuple[str, Component, str, float]]:
    """Yield settings that change something, and the user's component that has to know of them."""
    for name, spec in study.config["networks"].items():
        network = study.component("networks", spec["architecture"])
        if network.file and spec["width"] != 1:
            yield f"networks.{name}.width", network, "width", 1
    for run, training in study.training.items():
        chosen = training["optimizer"]
        if chosen["weight_decay"] and chosen["name"]:
            optimizer = study.component("optimizers", chosen["name"])
            if optimizer.file:
                where = key_of(study, *run, "optimizer.weight_decay")
                yield where, optimizer, "weight_decay", 0
        for _, name in (pair for pair in study.pairs if pair[0] == run[0]):
            network = study.component("networks", study.network_spec(name)["architecture"])
            if network.file and training["dropout"]:
                yield key_of(study, *run, "dropout"), network, "dropout", 0


def own_line(study: Study) -> str:
    """Return what is to be said of a study that runs the user's own code; nothing of others."""
    if study.parts is None:
        return ""
    start = f"{study.parts.stem}:"
    names = sorted({text.removeprefix(start) for text in texts(study.config) if start in text})
    files = [shown(path) for path in (study.parts, *beside(study.parts).values())]
    return (
        f"note: jobs run {' and '.join(files)}, which is code of whoever wrote the study; read it"
        f" if that is not you (functions used: {', '.join(names) or 'none'})"
    )
