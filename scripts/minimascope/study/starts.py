"""From which weights networks and trainings start. No torch is imported here."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, nearest
from ..registry import INITIAL, WITH_NORMS
from .adopted import WILDCARD, filled
from .between import interpolated
from .keys import key_of

if TYPE_CHECKING:
    from .study import Study

# What stands for names in a path, of a network and of a training.
OF_NETWORKS = ("dataset", "network", "seed")
OF_TRAININGS = (*OF_NETWORKS, "condition")
# What a network's norm depends on.
OF_NORMS = ("dataset", "network", "condition")
# Settings of a network and of a training that are of such files.
OF_FILES = ("weights", "new_head")
# Where a path starts that is one of this workflow's results, not of the folder of raw data.
RESULTS = "results/"


def network_start(study: "Study", **pair: Any) -> str | None:
    """Return the file of weights that all conditions of a data set, network and seed start from."""
    path = study.network_spec(pair["network"])["weights"]
    return path and filled(path, pair)


def training_start(study: "Study", **run: Any) -> str | None:
    """Return the file of weights that a run starts from in place of its seed's, or None.

    The run is a data set, a network, a condition and a seed.
    """
    path = study.training[run["dataset"], run["condition"]]["weights"]
    return path and filled(path, run)


def placed(path: str, data_dir: str) -> str:
    """Return where a file of weights lies: in the folder of raw data, unless it is a result."""
    return path if path.startswith(RESULTS) else str(Path(data_dir, path))


def model_path(study: "Study", run: Mapping[str, Any]) -> str:
    """Return where the network of a run of this study lies once it is trained."""
    place = "{dataset}/{network}/{condition}/seed{seed}".format(**run)
    return f"{RESULTS}{study.name}/models/{place}/model.safetensors"


def runs(study: "Study") -> Iterator[dict[str, Any]]:
    """Yield each data set, network, condition and seed of a study."""
    for dataset, network in study.pairs:
        for condition in study.conditions:
            for seed in study.seeds:
                names = {"dataset": dataset, "network": network, "condition": condition}
                yield names | {"seed": seed}


def transfers(study: "Study") -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return what networks start from that are trained on other data of the study.

    By data set, network and condition: data set and condition of the same network before.
    """
    found, seed = {}, study.seeds[:1]
    made = {model_path(study, run): run for run in runs(study)}
    for run in runs(study):
        first = made.get(training_start(study, **run))
        if first and run["seed"] in seed and first["network"] == run["network"]:
            place = (run["dataset"], run["network"], run["condition"])
            found[place] = (first["dataset"], first["condition"])
    return found


def starts(study: "Study") -> Iterator[tuple[str, str]]:
    """Yield the key of the study and the path of each file of weights, as it has it, each once."""
    found = {}
    for run in runs(study):
        key = f"networks.{run['network']}.weights"
        pair = {name: run[name] for name in OF_NETWORKS}
        found[network_start(study, **pair)] = key
        key = key_of(study, run["dataset"], run["condition"], "weights")
        found[training_start(study, **run)] = key
    yield from ((key, path) for path, key in found.items() if path is not None)


def check_starts(study: "Study") -> None:
    """Refuse unknown wildcards, networks that would start from themselves, and unused settings.

    Norms of conditions that their networks cannot have are refused, too.
    """
    for network, spec in study.config["networks"].items():
        _check(spec, OF_NETWORKS, {key: f"networks.{network}.{key}" for key in OF_FILES})
    for run, spec in study.training.items():
        _check(spec, OF_TRAININGS, {key: key_of(study, *run, key) for key in OF_FILES})
    before = {model_path(study, run): training_start(study, **run) for run in runs(study)}
    for first in before:
        path, seen = before[first], {first}
        while path in before and path not in seen:
            seen.add(path)
            path = before[path]
        if path in seen:
            raise InputError(f"training.weights: {path} would start from itself; name another file")
    _check_norms(study)
    _check_norms_before(study)
    other_norms = (
        study.norm(*pair, condition) != study.norm(*pair, INITIAL)
        for pair, condition in product(study.pairs, study.conditions)
    )
    _check_initial(study, any(path is not None for path in before.values()) or any(other_norms))


def _check(spec: Mapping[str, Any], known: tuple[str, ...], keys: Mapping[str, str]) -> None:
    for name in WILDCARD.findall(spec["weights"] or ""):
        if name not in known:
            hint = nearest(f"{{{name}}}", [f"{{{each}}}" for each in known])
            raise InputError(f"{keys['weights']}: {{{name}}} stands for nothing here; {hint}")
    if spec["new_head"] and spec["weights"] is None:
        raise InputError(f"{keys['new_head']}: does nothing without weights; leave it out")


def _check_norms(study: "Study") -> None:
    """Refuse a norm for networks that have none to choose, or whose weights are in a file."""
    for (dataset, network), condition in product(study.pairs, study.conditions):
        norm, spec = study.training[dataset, condition]["norm"], study.network_spec(network)
        if norm is None:
            continue
        where, architecture = key_of(study, dataset, condition, "norm"), spec["architecture"]
        if architecture not in WITH_NORMS:
            raise InputError(
                f"{where}: {network} ({architecture}) has no norm to choose; leave the norm or"
                " the network out"
            )
        if spec["weights"] is not None:
            raise InputError(
                f"{where}: the weights of {network} are those of a file, with the norm that they"
                " were trained with; leave the norm out, or draw the weights"
            )


def _check_norms_before(study: "Study") -> None:
    """Refuse weights of networks of this study that have another norm."""
    made = {model_path(study, run): run for run in runs(study)}
    for run in runs(study):
        if (first := made.get(training_start(study, **run))) is None:
            continue
        norms = [study.norm(*map(each.get, OF_NORMS)) for each in (first, run)]
        if norms[0] != norms[1]:
            key = key_of(study, run["dataset"], run["condition"], "weights")
            raise InputError(
                f"{key}: those of {first['condition']} are of a network with the norm {norms[0]},"
                f" here it is {norms[1]}; train both with one norm"
            )


def _check_initial(study: "Study", elsewhere: bool) -> None:
    """Refuse measures of the initial weights where some conditions do not start from them."""
    wanted = {"sharpness.on": "initial" in study.config["sharpness"]["on"]}
    wanted["sharpness.interpolation"] = INITIAL in interpolated(study)
    for key, initial in wanted.items():
        if elsewhere and initial:
            raise InputError(
                f"{key}: the initial weights of a seed are not what conditions with weights or a"
                f" norm of their own start from; leave out {INITIAL}"
            )
