"""What ``minimascope measure`` prints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from ..analysis.measure_names import UNIT_SYMBOLS
from ..analysis.numbers import MISSING, format_number, format_percent
from ..analysis.wording import counted

COLUMNS = ("measure", "value", "unit", "standard error", "noise floor", "n", "protocol")
ALIGNED = ("left", "right", "left", "right", "right", "right", "left")
DIGITS, DIGITS_OF_ERRORS = ".4g", ".2g"
# A value below so many times its error or floor is marked.
SURE = 2
UNSURE, UNCONVERGED = "†", "‡"
MEANINGS = {
    UNSURE: "less than twice its standard error or noise floor",
    UNCONVERGED: "the solver stopped before it had found all that was asked for",
}

Document = Mapping[str, Any]


def report(document: Document, names: Sequence[str]) -> str:
    """Return what was measured, a table of measures and what there is to note.

    Args:
        document: what the command writes.
        names: of the measures in the table, in their order.
    """
    measures = {m["measure"]: m for family in document["families"] for m in family["measures"]}
    rows = [_row(measures[name]) for name in names if name in measures]
    table = tabulate(rows, COLUMNS, tablefmt="plain", colalign=ALIGNED, disable_numparse=True)
    seconds = ", ".join(f"{f['family']} {f['seconds']:.1f}" for f in document["families"])
    marks = [f"{mark} {text}" for mark, text in MEANINGS.items() if mark in table]
    notes = [f"note: {note}" for note in _notes(document, names)]
    parts = ["\n".join(_head(document, measures)), table, *(["\n".join(marks)] if marks else [])]
    parts += [f"seconds: {seconds}", *(["\n".join(notes)] if notes else [])]
    return "\n\n".join(parts)


def _head(document: Document, measures: Document) -> Iterator[str]:
    network, data, checkpoint = (document[key] for key in ("network", "data", "checkpoint"))
    options = "".join(f", {key} {value}" for key, value in network["options"].items())
    yield _line(
        "network",
        f"{network['name']}{options}: {network['parameters']:,} parameters in"
        f" {network['weight_layers']} layers with weights",
    )
    if checkpoint:
        entry = f" ({checkpoint['key']})" if checkpoint["key"] else ""
        yield _line("checkpoint", f"{checkpoint['path']}{entry}")
    else:
        yield _line("checkpoint", f"none: weights as they are built, with seed {document['seed']}")
    yield _line("data", f"{data['path']}: {_described(data, measures['train_loss']['n'])}")
    if document["normalize"]:
        mean, std = (_listed(document["normalize"][key]) for key in ("mean", "std"))
        yield _line("normalisation", f"mean {mean}, standard deviation {std}")
    loss = measures["train_loss"]
    fit = f"{document['loss']} {format_number(loss['value'], DIGITS)} {_unit(loss)}"
    if accuracy := measures.get("train_accuracy"):
        fit += f", accuracy {format_percent(accuracy['value'], '.1f')}"
    yield _line("loss", fit)
    yield _line("device", document["device"])


def _line(word: str, text: str) -> str:
    return f"{word:15}{text}"


def _described(data: Document, n: int) -> str:
    found = data["found"] or n
    counts = (f"{n:,} of " if found != n else "") + counted(found, "sample")
    parts = [counts + (f" of {data['split']}" if data["split"] else "")]
    if data["shape"]:
        parts.append(" × ".join(map(str, data["shape"])))
    if data["classes"]:
        parts.append(counted(len(data["classes"]), "class", "classes"))
    return ", ".join(parts)


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _row(measure: Document) -> list[str]:
    mark = "" if measure["converged"] else UNCONVERGED
    errors = [measure["standard_error"] or 0, measure["noise_floor"] or 0]
    mark += UNSURE if abs(measure["value"]) < SURE * max(errors) else ""
    return [
        measure["measure"],
        format_number(measure["value"], DIGITS) + mark,
        _unit(measure),
        _error(measure["standard_error"]),
        _error(measure["noise_floor"]),
        str(measure["n"]),
        measure["protocol"],
    ]


def _error(value: float | None) -> str:
    return MISSING if value is None else format_number(value, DIGITS_OF_ERRORS)


def _unit(measure: Document) -> str:
    return UNIT_SYMBOLS.get(measure["unit"], measure["unit"])


def _notes(document: Document, names: Sequence[str]) -> Iterator[str]:
    if document["doubt"]:
        yield document["doubt"]
    reasons: dict[str, list[str]] = {}
    for family in document["families"]:
        for name, reason in family["details"].get("left_out", {}).items():
            if name in names:
                reasons.setdefault(reason, []).append(name)
    for reason, left_out in reasons.items():
        yield f"without {', '.join(left_out)}: {reason}"
    if document["data"]["split"] == "test":
        yield "these are the test data; sharpness is usually that of the training loss"
