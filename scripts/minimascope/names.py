"""Names that end up in tables and figures, and what must not stand in them."""

import re
import unicodedata

# What spreadsheets run when a cell begins with it.
FORMULA = ("=", "+", "-", "@")
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Words for a value: read from a table, they are no text any more.
VALUES = {"na", "nan", "null", "none", "true", "false", "inf", "infinity", "n/a", "#n/a", "<na>"}
# Control characters, halves of characters, and line breaks.
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def fault_of_name(name: str) -> str:
    """Return what is wrong with a name, as the rest of a sentence, or nothing."""
    if any(unicodedata.category(character) in UNSEEN for character in name):
        return "holds characters that cannot be shown"
    if name.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(name):
        return "would run as a formula when a table is opened in a spreadsheet"
    if name.casefold() in VALUES:
        return "stands for a value in tables, not for a name"
    return ""
