"""What was probably meant by a name that there is not."""

import difflib
from collections.abc import Iterable


def nearest(given: str, valid: Iterable[str]) -> str:
    """The valid name most like the one given, whatever its case; `valid` must not be empty."""
    names = {name.lower(): name for name in valid}
    return names[difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.0)[0]]
