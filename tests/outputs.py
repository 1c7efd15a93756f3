"""What two runs of a study have to agree in: every byte of every output, save the clock's."""

import csv
import json
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

# Seconds that a job took, and what follows from them: the hash of a document is over them too.
TIMING = {"seconds", "samples_per_second", "content_sha256"}
# The part of the report that has them.
PROVENANCE = re.compile(rb'<section id="provenance">.*?</section>', re.DOTALL)


def outputs(results: Path) -> dict[str, bytes]:
    """Return the content of every output of a study, by its path, without its timings.

    Logs and benchmarks say how a run went, not what it found.
    """
    return {
        str(path.relative_to(results)): without_timings(path)
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.relative_to(results).parts[0] not in ("logs", "benchmarks")
    }


def differing(found: Mapping[str, bytes], expected: Mapping[str, bytes]) -> list[str]:
    """Return the paths of outputs that are not the same.

    For assertions: to show how two reports of megabytes differ takes pytest hours.
    """
    paths = sorted(found.keys() | expected.keys())
    return [path for path in paths if found.get(path) != expected.get(path)]


def without_timings(path: Path) -> bytes:
    """Return the bytes of a file, or those of its content without the timings that it records."""
    if path.suffix == ".json":
        return json.dumps(_timeless(json.loads(path.read_text(encoding="utf-8")))).encode()
    if path.suffix == ".csv":
        rows = csv.DictReader(StringIO(path.read_text(encoding="utf-8")))
        return json.dumps([_timeless(row) for row in rows]).encode()
    return PROVENANCE.sub(b"", path.read_bytes()) if path.suffix == ".html" else path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMING}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
