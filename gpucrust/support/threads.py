"""One thing done while another goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


@contextmanager
def meanwhile(function: Callable[[A], T], argument: A) -> Iterator[Callable[[], T]]:
    """Call a function on another core; what is yielded waits for its result."""
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(function, argument).result
