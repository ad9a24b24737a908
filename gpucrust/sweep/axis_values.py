"""Values of axes as sweep files write them: a list, one value, or a range {start, stop, num, spacing}."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MOST_VALUES = 1_000_000
"""Values of one axis, at most."""
LEAST_VALUE, LARGEST_VALUE = 1e-30, 1e30
"""Bounds of g and mdot, CGS: products and quotients of them must be numbers."""


def axis(value: Any) -> Any:
    """A list, one value, or a range as a tuple of its values."""
    if isinstance(value, Mapping):
        return _range(value)
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _range(given: Mapping[str, Any]) -> tuple[float, ...]:
    extra = set(given) - {"start", "stop", "num", "spacing"}
    if extra or not {"start", "stop", "num"} <= set(given):
        raise ValueError("a range is {start, stop, num, spacing}, spacing being 'log' or 'linear'")
    start, stop, num = given["start"], given["stop"], given["num"]
    spacing = given.get("spacing", "linear")
    counted = isinstance(num, int) and not isinstance(num, bool) and 1 <= num <= MOST_VALUES
    if not (_is_number(start) and _is_number(stop) and counted and spacing in ("log", "linear")):
        raise ValueError(
            f"a range needs finite start and stop, num from 1 to {MOST_VALUES}, and spacing 'log' or 'linear'"
        )
    if spacing == "log":
        if min(start, stop) <= 0:
            raise ValueError("a range with spacing 'log' needs positive start and stop")
        return tuple(np.geomspace(start, stop, num).tolist())
    return tuple(np.linspace(start, stop, num).tolist())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def increasing(values: Sequence[float]) -> Sequence[float]:
    """The values, if they increase. Raises ValueError if not, or if there are none or too many."""
    if len(values) == 0:
        raise ValueError("an axis must not be empty")
    if len(values) > MOST_VALUES:
        raise ValueError(f"an axis has at most {MOST_VALUES} values")
    if any(b <= a for a, b in itertools.pairwise(values)):
        raise ValueError("values of an axis must increase")
    return values


def distinct(names: Sequence[str]) -> Sequence[str]:
    """The names, if no two are the same. Raises ValueError if not, or if there are none."""
    if len(names) == 0:
        raise ValueError("an axis must not be empty")
    if len(set(names)) < len(names):
        raise ValueError("a name appears twice")
    return names


def within_floats(values: Sequence[float]) -> Sequence[float]:
    """Increasing values of g or mdot, if products and quotients of them are numbers. Raises ValueError if not."""
    if not LEAST_VALUE <= values[0] <= values[-1] <= LARGEST_VALUE:
        raise ValueError("values of g and mdot lie between 1e-30 and 1e30")
    return values
