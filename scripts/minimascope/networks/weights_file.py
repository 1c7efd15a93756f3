"""Files of weights that others saved: read without running anything that is in them.

`read_state` finds the weights in a file, `fitted` puts them under a network's own names.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..errors import InputError

Tensors = Mapping[str, Tensor]
REMEDY = "save the weights alone: torch.save(model.state_dict(), 'weights.pt')"
# Under these names trainers save the weights that they trained …
TRAINED = {"state_dict", "model", "model_state_dict", "model_state", "module", "net", "network"}
# … and under these an average of them.
AVERAGED = re.compile(r"(^|[_.])(ema|swa|average|averaged)([_.]|$)")
# What containers, compilers and trainers put before a network's own names.
PREFIXES = ("module", "_orig_mod", "model", "net")
# Of these, what is never a layer's own name: dropped within a name, too.
WRAPPERS = re.compile(r"(?<=\.)(module|_orig_mod)\.")
# Counts of batches that older files lack, and what an average of weights counts.
COUNTS = "num_batches_tracked"
COUNT_OF_AVERAGE = "n_averaged"
# Entries of entries are looked through so deep, and so many names of a kind are listed.
DEEPEST = 4
MOST_LISTED = 3
# Characters of what a reader says of a file.
LONGEST_CAUSE = 120


@dataclass(frozen=True)
class State:
    """The weights in a file, by the names in the file.

    Attributes:
        tensors: the weights.
        key: path of their entry within the file, with dots; empty where they are all of it.
        others: paths of the entries that hold tensors by name, too.
    """

    tensors: Tensors
    key: str
    others: tuple[str, ...]


def read_state(path: Path, key: str | None = None, remedy: str = REMEDY) -> State:
    """Return the weights in a file of ``torch.save`` or of safetensors, on the CPU.

    Without a key, the weights are the whole content or the one entry under a name that trainers
    use, such as ``state_dict`` or ``model``. If the file holds an average of them as well (``ema``
    and the like), the average is left. Objects of other classes beside them are not read.

    Args:
        path: of the file, which is read as safetensors if its name ends so.
        key: path of the entry with the weights, with dots.
        remedy: what a user can do if the file cannot be read; the end of the message.

    Raises:
        InputError: another file, one that needs code, no weights, or several of equal right.
    """
    path = Path(path)
    content = _safetensors(path, remedy) if path.suffix == ".safetensors" else _saved(path, remedy)
    if isinstance(content, _Unread):
        raise InputError(
            f"{path}: holds a whole object, which only its own code can read; {remedy}"
        )
    found = dict(_states(content))
    if not found:
        raise InputError(f"{path}: not a checkpoint of weights by name; {remedy}")
    chosen = _chosen(found, path) if key is None else key
    if chosen not in found:
        there = ", ".join(filter(None, found)) or "none, as the weights are all of it"
        raise InputError(f"{path}: no weights under {key!r}; entries with weights: {there}")
    return State(found[chosen], chosen, tuple(name for name in found if name != chosen))


def fitted(state: Tensors, expected: Tensors, path: Path) -> dict[str, Tensor]:
    """Return a file's weights under a network's names and in its types, as tensors of their own.

    Args:
        state: weights by the names in the file.
        expected: the network's, by its own names.
        path: of the file, for messages.

    Raises:
        InputError: missing, unexpected or misshapen weights, or values that the network's types
            cannot hold.
    """
    named = renamed(state, expected)
    if problem := misfit(named, expected):
        hint = _hint(named, expected)
        raise InputError(f"{path}: does not fit the network ({problem}){hint and f'; {hint}'}")
    weights = {}
    for name, own in expected.items():
        value = named.get(name, torch.zeros_like(own, device="cpu")).detach()
        weights[name] = value.to(own.dtype).clone(memory_format=torch.contiguous_format)
        # torch does not tell of numbers of 8 bits whether they are finite.
        theirs = value.float() if value.itemsize == 1 else value
        if not torch.equal(weights[name].isfinite(), theirs.isfinite()):
            raise InputError(f"{path}: {name} has values too large for {own.dtype}; {REMEDY}")
    return weights


def renamed(state: Tensors, expected: Tensors) -> dict[str, Tensor]:
    """Return a file's weights without what wrappers put into their names.

    `prefix_of` says what is taken from their beginning. Within names, ``module`` and
    ``_orig_mod`` are dropped if no expected name has them.
    """
    prefix = prefix_of(state, expected)
    names = {name: name.removeprefix(prefix) for name in state}
    if "module" in prefix:
        names.pop(COUNT_OF_AVERAGE, None)
    if not any(WRAPPERS.search(name) for name in expected):
        names = {theirs: WRAPPERS.sub("", ours) for theirs, ours in names.items()}
    if len({*names.values()}) < len(names):  # two would become one
        return dict(state)
    return {ours: state[theirs] for theirs, ours in names.items()}


def prefix_of(state: Tensors, expected: Tensors) -> str:
    """Return the beginning of a file's names without which most of them are expected ones.

    It consists of any of `PREFIXES` in any order; the shortest of several that do as well.
    """
    beginnings = {""}
    for name in state:
        parts = name.split(".")
        # More wrappers than that are none; a name may have a million parts.
        for depth in range(1, min(len(parts), 2 * len(PREFIXES))):
            if parts[depth - 1] not in PREFIXES:
                break
            beginnings.add(".".join(parts[:depth]) + ".")

    def known(prefix: str) -> int:
        tails = {name.removeprefix(prefix) for name in state if name.startswith(prefix)}
        return sum(tail in expected or WRAPPERS.sub("", tail) in expected for tail in tails)

    return min(beginnings, key=lambda prefix: (-known(prefix), len(prefix), prefix))


def misfit(weights: Mapping[str, Any], expected: Tensors) -> str:
    """Return what is wrong with weights that should be like the expected ones, or nothing.

    Older files have no counts of batches; these may be missing.
    """
    missing = [name for name in expected if name not in weights and not name.endswith(COUNTS)]
    unexpected = [name for name in weights if name not in expected]
    common = {name: value for name, value in weights.items() if name in expected}
    plain = {name: value for name, value in common.items() if _is_plain(value)}
    odd = [name for name in common if name not in plain]
    misshapen = [
        f"{name} {_shape(value)} for {_shape(expected[name])}"
        for name, value in plain.items()
        if value.shape != expected[name].shape
    ]
    types = [
        f"{name} {value.dtype}"
        for name, value in plain.items()
        if _kind(value) != _kind(expected[name])
    ]
    kinds = {
        "missing": missing,
        "unexpected": unexpected,
        "misshapen": misshapen,
        "no plain tensor": odd,
        "of another type": types,
    }
    return "; ".join(f"{kind}: {_listed(names)}" for kind, names in kinds.items() if names)


def _safetensors(path: Path, remedy: str) -> Any:
    try:
        return load_file(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # whatever the reader makes of arbitrary bytes
        raise InputError(
            f"{path}: not a readable safetensors file ({_cause(error)}); {remedy}"
        ) from error


class _Unread:
    """What stands for an object of a class that torch does not know: nothing of it is read."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> "_Unread":
        return super().__new__(cls)

    def __init__(self, *_arguments: Any, **_named: Any):
        pass

    def __setstate__(self, _state: Any) -> None:
        pass


def _saved(path: Path, remedy: str) -> Any:
    """Return the content of a file of ``torch.save``."""
    try:
        # Files from before torch 1.6, such as torchvision's VGG, are no zip and cannot be mapped.
        zipped = zipfile.is_zipfile(path)
        # Trainers save their settings, and counts as NumPy's, beside the weights.
        others = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipped else []
        with torch.serialization.safe_globals([(_Unread, name) for name in others]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # whatever the unpickler makes of arbitrary bytes
        raise InputError(
            f"{path}: not a checkpoint of weights ({_cause(error)}); {remedy}"
        ) from error


def _states(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Tensors]]:
    """Yield the paths of all entries that hold weights by name, and these."""
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        return
    # A plain copy: a file can give an OrderedDict attributes that hide its methods.
    content = {name: dict.__getitem__(content, name) for name in dict.keys(content)}
    inner = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    tensors = sum(isinstance(value, Tensor) for value in content.values())
    if not inner and 2 * tensors > len(content):
        yield path, content
    if depth < DEEPEST:
        for name, value in inner.items():
            yield from _states(value, f"{path}.{name}".strip("."), depth + 1)


def _chosen(found: Mapping[str, Tensors], path: Path) -> str:
    """Return the path of the trained weights among the entries of a file."""
    ranks = [_rank(name) for name in found]
    best = [name for name, rank in zip(found, ranks, strict=True) if rank == min(ranks)]
    if len(best) > 1:
        raise InputError(f"{path}: holds weights under {_listed(best)}; choose one with key")
    return best[0]


def _rank(name: str) -> int:
    """Return 0 for a usual name of trained weights, 1 for others, 2 for those of averages."""
    if AVERAGED.search(name):
        return 2
    return 0 if not name or TRAINED & set(name.split(".")) else 1


def _is_plain(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_quantized or value.is_nested or value.is_meta)
    )


def _kind(value: Tensor) -> str:
    if value.is_complex():
        return "complex"
    return "floating" if value.is_floating_point() else "whole"


def _shape(value: Tensor) -> str:
    return "×".join(map(str, value.shape)) or "scalar"


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _hint(weights: Tensors, expected: Tensors) -> str:
    """Return the likely cause of a misfit, or nothing."""
    common = [name for name in weights if name in expected and _is_plain(weights[name])]
    if not common:
        return (
            "no name is the network's: another architecture, or other names for the same layers"
            f" (the network's begin with {next(iter(expected), 'none')})"
        )
    pairs = {name: (tuple(weights[name].shape), tuple(expected[name].shape)) for name in common}
    wrong = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not wrong:
        return "another architecture, or options of its own" if len(common) < len(expected) else ""
    if all(theirs == own[::-1] for theirs, own in wrong.values()):
        return "these are transposed, as another library may store them"
    layers = {name.rpartition(".")[0] for name in wrong}
    last = next(reversed(expected)).rpartition(".")[0]
    if layers == {last} and all(a[1:] == b[1:] for a, b in wrong.values()):
        theirs, own = next(iter(wrong.values()))
        return f"it was trained for {theirs[0]} classes, these data have {own[0]}"
    if len(layers) == 1 and next(iter(wrong)) == next(iter(expected)):
        return "it was trained on inputs of another size or number of channels"
    if all(len(a) == len(b) for a, b in wrong.values()):
        return "another width of the same architecture"
    return "another architecture"


def unreadable(path: Path, error: OSError) -> InputError:
    """Return what a user is told of a file that cannot be opened."""
    reason = error.strerror or _cause(error)
    return InputError(f"{path}: not a readable file ({reason}); correct the path")


def _cause(error: Exception) -> str:
    if code := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it needs {code[1]}, but code that a file names is never run"
    words = " ".join(str(error).split())
    return words if len(words) <= LONGEST_CAUSE else f"{words[:LONGEST_CAUSE]}…"
