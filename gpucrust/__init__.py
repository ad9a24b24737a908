"""gpucrust: GPU-accelerated ensemble sweeps for the crusts of accreting neutron stars.

`run` computes a sweep, from a file or a mapping, and gives its dataset; `load_sweep` reads and checks a sweep file;
`open_result` opens what the command `gpucrust run` has written; `evolve` takes an ensemble of crusts through the engine
alone; `linearize` gives the derivatives of one crust. Each is imported when it is first used: JAX and xarray take time.

Packages, each of which imports only those before it: `support` (plumbing), `schema` (what results are made of), beside
it `nuclide`, `status` and `constants`; `physics` (equations), `masses` (nuclear masses), `engine` (evolves members),
`sweep` (what is asked for), `profiles` (where equilibrium breaks), `results` (what came out), `jobs` (doing it),
`sensitivity` (derivatives), `cli` (the command). No module of theirs imports this one.
"""

from typing import TYPE_CHECKING

from gpucrust.support.lazy import lazy_names
from gpucrust.version import __version__

if TYPE_CHECKING:
    from gpucrust.engine.ensemble import evolve as evolve
    from gpucrust.jobs.in_memory import run as run
    from gpucrust.results.files import open_result as open_result
    from gpucrust.sensitivity.derivatives import linearize as linearize
    from gpucrust.sweep.config import load_sweep as load_sweep

__getattr__, __dir__, _names = lazy_names(
    __name__,
    {
        "engine.ensemble": "evolve",
        "jobs.in_memory": "run",
        "results.files": "open_result",
        "sensitivity.derivatives": "linearize",
        "sweep.config": "load_sweep",
    },
)
__all__ = ["__version__", *_names]
