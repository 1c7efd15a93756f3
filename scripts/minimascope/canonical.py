"""One text for one value."""

import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return compact JSON with sorted keys: equal values give equal text, in any key order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
