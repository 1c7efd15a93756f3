"""``python -m minimascope`` is the command `minimascope`."""

from .command import main

main()
