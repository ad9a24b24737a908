"""gpucrust: GPU-accelerated ensemble sweeps for the crusts of accreting neutron stars."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpucrust.jobs.in_memory import run

__version__ = "0.1.0.dev0"
__all__ = ["__version__", "run"]


def __getattr__(name: str) -> Any:
    """`gpucrust.run`, imported when first used: it brings in JAX and xarray."""
    if name == "run":
        from gpucrust.jobs.in_memory import run

        return run
    raise AttributeError(f"module 'gpucrust' has no attribute '{name}'")
