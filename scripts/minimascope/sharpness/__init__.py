"""Measures of sharpness, by family: what one pass, or one kind of work, can compute together."""
