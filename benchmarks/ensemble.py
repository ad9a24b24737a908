"""Members per second of the engine, beside the scalar reference stepper in the same run.

    python benchmarks/ensemble.py --members 8 64 256 --lanes 8 64

The work unit: one 56Fe crust, AME2016+FRDM95+DZ31, policy mixed, 1e27 to 3e31 dyn cm^-2, profiles recorded every 0.01
in ln P. Times are of a second call, when everything is compiled; the first call's excess is given as compile time.
The reference is tests/reference.py, one crust at a time on one core.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

from gpucrust.ensemble import Members, Physics, Stepper, evolve
from gpucrust.masses import load_model
from gpucrust.planning import recorded_pressures

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import reference

HEADER = (
    "engine",
    "device",
    "members",
    "lanes",
    "members/s",
    "ratio",
    "steps/member",
    "us/lane-step",
    "bytes/member",
    "compile s",
)
IRON = {(26, 30): 1.0}


def members_of(n: int) -> Members:
    """n crusts that differ a little in g mdot."""
    zero = np.zeros(n, int)
    return Members(zero, zero, np.zeros(n), zero, 6e18 * np.geomspace(0.9, 1.1, n))


def main(arguments: list[str] | None = None) -> list[dict[str, float | str]]:
    """Print the table; returns its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[8, 64, 256])
    parser.add_argument("--lanes", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--chunk", type=float, default=0.002)
    parser.add_argument("--P-end", type=float, default=3e31, help="dyn cm^-2; smaller for a quick look")
    options = parser.parse_args(arguments)
    model, pressures = load_model("FRDM95+DZ31"), recorded_pressures(1e27, options.P_end, 0.01)

    def scalar() -> float:
        start = time.perf_counter()
        reference.evolve(model.mixed, model.sources, IRON, pressures=pressures, g_mdot=6e18, chunk=options.chunk)
        return time.perf_counter() - start

    first, seconds = scalar(), min(scalar() for _ in range(3))
    rows: list[dict[str, float | str]] = [
        dict(
            zip(
                HEADER,
                ("numba", "one core", 1, 1, 1 / seconds, 1.0, np.nan, np.nan, np.nan, first - seconds),
                strict=True,
            )
        )
    ]
    device = jax.local_devices()[0].device_kind
    for lanes in options.lanes:
        for n in options.members:
            times = []
            for _ in range(2):
                start = time.perf_counter()
                result = evolve(
                    members_of(n), [model], [IRON], pressures, Physics(), Stepper(options.chunk), batch=lanes
                )
                times.append(time.perf_counter() - start)
            rate, steps = n / times[1], result.n_steps.mean()
            size = sum(values[0].nbytes for values in result.profiles.values()) + result.segments[0].nbytes
            cost = 1e6 / (rate * steps)
            values = ("jax", device, n, lanes, rate, rate * seconds, steps, cost, size, times[0] - times[1])
            rows.append(dict(zip(HEADER, values, strict=True)))
    print(" | ".join(HEADER))
    for row in rows:
        print(" | ".join(f"{v:.4g}" if isinstance(v, int | float) else v for v in row.values()), flush=True)
    return rows


if __name__ == "__main__":
    main()
