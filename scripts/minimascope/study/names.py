"""Names that end up in tables and figures, and what they must not contain."""

import re
import unicodedata

# What spreadsheets run when a cell begins with it.
FORMULA = ("=", "+", "-", "@")
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Words for a value, as pandas reads them: read from a table they are no text any more.
MISSING = {"NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NULL", "null", "NaN", "nan", "None"}
IN_ANY_CASE = {"true", "false", "inf", "infinity"}
# Control characters, halves of characters, and line breaks.
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def fault_of_name(name: str) -> str:
    """Return what is wrong with a name, as the rest of a sentence, or nothing."""
    if any(unicodedata.category(character) in UNSEEN for character in name):
        return "holds characters that cannot be shown"
    if name.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(name):
        return "would run as a formula when a table is opened in a spreadsheet"
    if name in MISSING or name.casefold() in IN_ANY_CASE:
        return "stands for a value in tables, not for a name"
    return ""
