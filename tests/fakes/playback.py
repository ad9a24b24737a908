"""Stands in for the engine where faults are tested: plays back evolutions that were evolved beforehand, after a while.

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

from gpucrust.jobs import computing
from gpucrust.profiles.reduction import evolutions_at

EVOLUTIONS, SECONDS = "PLAYBACK_EVOLUTIONS", "PLAYBACK_SECONDS"
"""Environment: file of the evolutions; seconds that GROUP of them take."""
GROUP = 8
"""Evolutions that end together."""
KILLER, FILE_LIMIT = "PLAYBACK_KILLER", "PLAYBACK_FILE_LIMIT"
"""Environment: file whose absence makes a process kill itself in mid-portion (or ALWAYS); bytes of the largest file it
may write."""
ALWAYS = "always"
"""In place of that file: every process kills itself."""


def keys_of(members):
    """A hashable value that tells an evolution from others, for each."""
    columns = (members.model, members.ash, members.pycno_log10_scale, members.sample, members.g_mdot)
    return list(zip(*(np.asarray(x).tolist() for x in columns), strict=True))


def keep(path, members, evolution):
    """Write what `playing_back` reads."""
    path.write_bytes(pickle.dumps((keys_of(members), evolution)))


def playing_back(path):
    """A function like `gpucrust.engine.ensemble.evolve_each`."""
    keys, evolution = pickle.loads(Path(path).read_bytes())
    row = {key: i for i, key in enumerate(keys)}

    def evolve_each(members, problem, each, **_):
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


if EVOLUTIONS in os.environ:
    computing.evolve_each = playing_back(os.environ[EVOLUTIONS])

if FILE_LIMIT in os.environ:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ[FILE_LIMIT]),) * 2)

if __name__ == "__main__":
    from gpucrust import cli

    sys.argv[0] = "gpucrust"
    cli.main()
