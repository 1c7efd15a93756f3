"""What a job depends on besides its input files, as the params of its rule: texts with their names.

No torch is imported here: rules are read whenever Snakemake plans.
"""

import json
from collections.abc import Iterable
from typing import Any

from ..canonical import canonical_json

START = '{"'


def named_text(name: str, value: Any) -> str:
    """Return a param: canonical JSON of a value under its name.

    >>> named_text("bins", 15)
    '{"bins":15}'
    """
    return canonical_json({name: value})


def settings(params: Iterable[Any]) -> dict[str, Any]:
    """Return the values of `named_text` in params by name; params of other kinds are left out.

    >>> settings(['{"bins":15}', "models/checkpoint.safetensors"])
    {'bins': 15}
    """
    texts = (param for param in params if isinstance(param, str) and param.startswith(START))
    return {name: value for text in texts for name, value in json.loads(text).items()}
