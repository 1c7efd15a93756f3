"""The largest value of a function in a ball, of many rows at once, each with a ball of its own."""
