"""Runs of many crusts to a file: members per second, processor time, memory beside what was foretold.

    python benchmarks/many.py --members 1000 [--P-end 3e31] [--lanes 0] [--profiles]

FRDM95 with mass errors of 0.3 MeV, 56Fe, policy mixed, pressures recorded every 0.01 in ln P from 1e27 dyn cm^-2. With
P-end 3e27 a crust is a few reactions, and 100,000 are minutes. Summaries go to netCDF, with --profiles everything to a
Zarr store. A run of 600 before it compiles, or loads what was compiled; memory is the largest resident set of the
process.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from gpucrust.jobs.costs import batches_and_lanes_of, working_memory
from gpucrust.jobs.to_file import run_to_file
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.plan import Plan, make_plan, make_portions

WARM = 600


def plan_of(members: int, P_end: float, lanes: int, profiles: bool) -> Plan:
    """A sweep over draws of mass errors; lanes: of a batch; 0 lets gpucrust choose."""
    return make_plan(
        check_sweep(
            {
                "axes": {"mass_model": ["FRDM95+DZ31"], "sample": members},
                "physics": {"policy": "mixed"},
                "perturbation": {"sigma": 0.3},
                "stepper": {"P_end": P_end, "batch": lanes},
                "output": {"profiles": profiles, "ground_state": False},
            }
        )
    )


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Measure, print, and return the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--P-end", type=float, default=3e31, help="dyn cm^-2")
    parser.add_argument("--lanes", type=int, default=0, help="of a batch; 0 lets gpucrust choose")
    parser.add_argument("--profiles", action="store_true", help="profiles too, into a Zarr store")
    options = parser.parse_args(arguments)
    suffix = ".zarr" if options.profiles else ".nc"
    sizes = (min(WARM, options.members), options.members)
    warm, plan = (plan_of(n, options.P_end, options.lanes, options.profiles) for n in sizes)
    with tempfile.TemporaryDirectory() as folder:
        run_to_file(warm, Path(folder) / f"warm{suffix}")
        started, processor = time.perf_counter(), time.process_time()
        run_to_file(plan, Path(folder) / f"many{suffix}")
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
    batches, lanes = batches_and_lanes_of(plan, plan.n_evolutions)
    row = {
        "members": options.members,
        "pressures": len(plan.pressures),
        "batches": batches,
        "lanes": lanes,
        "members/s": options.members / seconds,
        "processor ms/member": 1e3 * processor / options.members,
        "GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "foretold GiB": working_memory(plan, make_portions(plan)) / 2**30,
        "load": os.getloadavg()[0],
    }
    print(" | ".join(row))
    print(" | ".join(f"{x:.4g}" for x in row.values()))
    return row


if __name__ == "__main__":
    main()
