"""The error of everything that cannot be done as it was asked for."""


class SweepError(ValueError):
    """What is wrong with a sweep, or with what is to be done with it; the message is one line."""
