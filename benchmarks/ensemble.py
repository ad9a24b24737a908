"""Members per second of the engine, beside the scalar reference stepper in the same run.

    python benchmarks/ensemble.py --members 64 512 2048 --engines slide chunk

The work unit: one 56Fe crust, AME2016+FRDM95+DZ31, policy mixed, 1e27 to 3e31 dyn cm^-2, profiles recorded every 0.01
in ln P, as accurate as chunk 0.002. Times are of a second call, when everything is compiled; the first call's excess
is given as compile time. The comparators, of tests/twins, are reference.py (chunks) and slide.py (the limit of small
chunks), numba, one crust at a time on one core; ratios are to the first. With --mixture members are of three ashes and
four mass models.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

from gpucrust.engine.ensemble import evolve
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.engine.sizes import batches_and_lanes, lane_bytes
from gpucrust.masses import load_model
from gpucrust.sweep.plan import recorded_pressures

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from twins import reference, slide

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


MODELS = ("FRDM95+DZ31", "HFB21+DZ31", "BSkG4+DZ31", "MB-refit")
ASHES = (IRON, {(46, 60): 1.0}, {(26, 30): 0.5, (46, 58): 0.5})


def members_of(n: int, mixture: bool) -> Members:
    """n crusts that differ a little in g mdot, or much."""
    index = np.arange(n) if mixture else np.zeros(n, int)
    g_mdot = 6e18 * np.geomspace(0.9, 1.1, n)
    return Members(index % 4, index // 4 % 3, np.zeros(n), np.zeros(n, int), g_mdot)


def main(arguments: list[str] | None = None) -> list[dict[str, float | str]]:
    """Print the table; returns its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--lanes", type=int, nargs="+", default=[0], help="of a batch; 0 lets gpucrust choose")
    parser.add_argument("--engines", nargs="+", default=["slide"], choices=["slide", "chunk"])
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--mixture", action="store_true", help="ashes and mass models of all kinds")
    parser.add_argument("--chunk", type=float, default=0.002)
    parser.add_argument("--P-end", type=float, default=3e31, help="dyn cm^-2; smaller for a quick look")
    options = parser.parse_args(arguments)
    model, pressures = load_model("FRDM95+DZ31"), recorded_pressures(1e27, options.P_end, 0.01)

    def scalar() -> float:
        start = time.perf_counter()
        reference.evolve(model.mixed, model.sources, IRON, pressures=pressures, g_mdot=6e18, chunk=options.chunk)
        return time.perf_counter() - start

    def scalar_slide() -> float:
        start = time.perf_counter()
        slide.evolve(model.mixed, IRON, pressures=pressures, g_mdot=6e18)
        return time.perf_counter() - start

    rows: list[dict[str, float | str]] = []
    seconds = 0.0
    for name, code in (("numba chunk", scalar), ("numba slide", scalar_slide)):
        first, best = code(), min(code() for _ in range(3))
        seconds = seconds or best
        values = (name, "one core", 1, 1, 1 / best, seconds / best, np.nan, np.nan, np.nan, first - best)
        rows.append(dict(zip(HEADER, values, strict=True)))
    names, ashes = (MODELS, ASHES) if options.mixture else (("FRDM95+DZ31",), (IRON,))
    models, device = [load_model(name) for name in names], jax.local_devices()[0].device_kind
    runs = [(engine, lanes, n) for engine in options.engines for lanes in options.lanes for n in options.members]
    for engine, lanes, n in runs:
        times = []
        stepper = Stepper(options.chunk, options.slots, engine=engine)
        for _ in range(2):
            start = time.perf_counter()
            members = members_of(n, options.mixture)
            result = evolve(members, Problem(models, ashes, pressures, Physics(), stepper), batch=lanes or None)
            times.append(time.perf_counter() - start)
        rate, steps = n / times[1], result.n_steps.mean()
        batches, used = batches_and_lanes(n, lanes or None, lane_bytes(len(pressures), stepper))
        size = sum(values[0].nbytes for values in result.profiles.values()) + result.segments[0].nbytes
        cost = 1e6 / (rate * steps)
        values = (f"jax {engine}", device, n, f"{batches} x {used}", rate, rate * seconds, steps, cost, size)
        rows.append(dict(zip(HEADER, (*values, times[0] - times[1]), strict=True)))
        if np.any(result.status):
            print(f"{np.sum(result.status > 0)} of {n} members failed")
    print(" | ".join(HEADER))
    for row in rows:
        print(" | ".join(f"{v:.4g}" if isinstance(v, int | float) else v for v in row.values()), flush=True)
    return rows


if __name__ == "__main__":
    main()
