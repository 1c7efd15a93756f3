"""Of what kinds further test sets are. No torch is imported here: rules read this."""

# With the classes of the data set, and with others.
SHIFTED, UNSEEN = "shifted", "unseen"
KINDS = (SHIFTED, UNSEEN)
