"""The programs of tools/, run as the Makefile runs them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_tool(name: str, *arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a tool, and capture what it prints."""
    return subprocess.run(
        [sys.executable, ROOT / "tools" / f"{name}.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        **options,
    )
