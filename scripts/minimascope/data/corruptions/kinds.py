"""Names of all corruptions, by what they corrupt and by kind."""

from ...components import IMAGES, RECORDINGS
from . import severities, sound_severities

# By what data sets consist of: the corruptions that are made for it, by kind.
KINDS_OF = {IMAGES: severities.KINDS, RECORDINGS: sound_severities.KINDS}
# No two have the same name.
KINDS = severities.KINDS | sound_severities.KINDS
# What inputs without corruption are called, and their severity.
NONE = "none", 0
# What the levels of a picture of log-mels reach in dB: silence, and more than any sound has.
LOWEST_DB, HIGHEST_DB = -100.0, 60.0
CORRUPTIONS = (*severities.STRENGTHS, *sound_severities.STRENGTHS)
