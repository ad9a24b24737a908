"""float64 throughout: the physics resolves 1e-5 MeV in masses of 5e4 MeV.

Entry points run under ``jax.enable_x64(True)``; functions that a user may call
directly are marked ``@needs_x64`` and say how to switch it on when it is off.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

P = ParamSpec("P")
T = TypeVar("T")


def needs_x64(function: Callable[P, T]) -> Callable[P, T]:
    """Refuse to run (or trace) ``function`` in single precision."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if not jax.config.read("jax_enable_x64"):
            raise RuntimeError(
                f"{function.__module__}.{function.__name__} needs float64: call "
                'jax.config.update("jax_enable_x64", True) first, or run it inside '
                "`with jax.enable_x64(True):`"
            )
        return function(*args, **kwargs)

    return checked
