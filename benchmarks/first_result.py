"""Seconds from a command to its result: on a machine that has never run it, and with compiled programs kept.

    python benchmarks/first_result.py                        the first figure, as in the README
    python benchmarks/first_result.py run sweeps/ashes.toml  any other command

Every row is a process of its own, in an empty folder, with a private folder of kept programs. The comparator imports
the libraries that every run needs, and does nothing. Of the warm runs and of the comparator the fastest of several is
given; `user` is processor time, which on a busy machine says more than the wall clock.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIBRARIES = "import jax, matplotlib.figure, xarray; jax.devices()"
HEADER = ("what", "wall s", "user s", "ratio")


def seconds(command: list[str], cache: Path) -> tuple[float, float]:
    """Wall-clock and processor seconds of a process."""
    unset = ("JAX_COMPILATION_CACHE_DIR", "GPUCRUST_KEEP_PROGRAMS")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    start, before = time.perf_counter(), os.times().children_user
    with tempfile.TemporaryDirectory() as folder:
        environment["XDG_CACHE_HOME"] = str(cache)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - start, os.times().children_user - before


def main(arguments: list[str] | None = None) -> list[dict[str, float | str]]:
    """Print the table; returns its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", type=int, default=3, help="warm runs, and runs of the comparator")
    parser.add_argument("command", nargs="*", default=["run", "sweeps/figure1.toml"], help="arguments of gpucrust")
    options = parser.parse_args(arguments)
    given = [str(Path(x).resolve()) if Path(x).exists() else x for x in options.command]
    gpucrust = [sys.executable, "-m", "gpucrust.cli", *given]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        python = [sys.executable, "-c", LIBRARIES]
        rows = [("imports", *min(seconds(python, cache) for _ in range(options.warm)))]
        rows.append(("cold", *seconds(gpucrust, cache)))
        rows.append(("warm", *min(seconds(gpucrust, cache) for _ in range(options.warm))))
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print(" | ".join(HEADER))
    for what, wall, user in rows:
        print(f"{what} | {wall:.2f} | {user:.2f} | {wall / rows[0][1]:.1f}", flush=True)
    return [dict(zip(HEADER, (*row, row[1] / rows[0][1]), strict=True)) for row in rows]


if __name__ == "__main__":
    main()
