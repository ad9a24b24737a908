"""Stands in for the engine where faults are tested: gives back evolutions recorded beforehand, after a while.

As a program it is `gpucrust` with that engine; imported by a Dask worker (a preload) it gives the worker that engine.
Everything but `evolve_each` is the real thing.
"""

import os
import pickle
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np

from gpucrust.jobs import in_memory as sweep
from gpucrust.profiles.reduced import evolutions_at

RECORDED, SECONDS = "REPLAY_RECORDED", "REPLAY_SECONDS"
"""Environment: file of the recorded evolutions; seconds that GROUP of them take."""
GROUP = 8
KILLER, FILE_LIMIT = "REPLAY_KILLER", "REPLAY_FILE_LIMIT"
"""Environment: file whose absence makes a process kill itself in mid-chunk (or ALWAYS); bytes of the largest file it
may write."""
ALWAYS = "always"


def keys_of(members):
    """A hashable value that tells an evolution from others, for each."""
    columns = (members.model, members.ash, members.pycno_log10_scale, members.sample, members.g_mdot)
    return list(zip(*(np.asarray(x).tolist() for x in columns), strict=True))


def record(path, members, evolution):
    """Write what `replaying` reads."""
    path.write_bytes(pickle.dumps((keys_of(members), evolution)))


def replaying(path):
    """A function like `gpucrust.engine.ensemble.evolve_each`."""
    keys, evolution = pickle.loads(Path(path).read_bytes())
    row = {key: i for i, key in enumerate(keys)}

    def evolve_each(members, models, ashes, pressures, physics, stepper, each, **_):
        rows = np.array([row[key] for key in keys_of(members)])
        for numbers in np.split(np.arange(len(rows)), range(GROUP, len(rows), GROUP)):
            killer = os.environ.get(KILLER)
            time.sleep(float(os.environ.get(SECONDS, 0)))
            if killer and (killer == ALWAYS or not Path(killer).exists()):
                if killer != ALWAYS:
                    Path(killer).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            each(numbers, evolutions_at(evolution, rows[numbers]))

    return evolve_each


if RECORDED in os.environ:
    sweep.evolve_each = replaying(os.environ[RECORDED])

if FILE_LIMIT in os.environ:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ[FILE_LIMIT]),) * 2)

if __name__ == "__main__":
    from gpucrust import cli

    sys.argv[0] = "gpucrust"
    cli.main()
