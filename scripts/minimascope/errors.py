"""The one exception that speaks to the user."""


class InputError(ValueError):
    """A mistake in a configuration or a file: one line that names it and says what to do."""
