"""Names of a package that are imported when they are first used, so that the package itself is imported at once."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package.

    modules: the names to be had from each of its modules, separated by blanks.
    """
    home = {name: f"{package}.{module}" for module, names in modules.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(home[name]), name)

    def list_all() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return get, list_all, sorted(home)
