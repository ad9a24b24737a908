"""Runs of the real command as processes, with `playback` for an engine, that tests watch, kill and resume."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes import playback
from fakes.sweep import load
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.store import Store, StoreError

SECONDS = 0.15
"""Time that a portion takes in a run with `playback`, s."""
PROMPT = 120
"""Time within which a process must have done what it is waited for, s."""


def start(folder, target, *more, engine="playback", seconds=SECONDS, **environment):
    """A run of the sweep in `folder` as a process; engine: playback or real."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    program = [sys.executable, "-m", "gpucrust.cli"]
    if engine == "playback":
        environment |= {playback.EVOLUTIONS: str(folder / "evolutions"), playback.SECONDS: str(seconds)}
        program = [sys.executable, str(Path(playback.__file__))]
    arguments = ["run", folder / "s.toml", "-o", target, "--save-every", 8, *more]
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process):
    """Exit status, standard output and error of a process, waited for."""
    out, err = process.communicate(timeout=PROMPT)
    return process.returncode, out, err


def wait_for_portions(target, n, process):
    """Until n portions of a run are done."""
    path, deadline = PartialFolder(target).store, time.monotonic() + PROMPT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(StoreError):  # not there yet
            store = Store(path)
            if len(store.portions) - len(store.pending()) >= n:
                return
        time.sleep(0.02)
    pytest.fail(f"no {n} portions: {end(process)}")


def finish(folder, target, *more):
    """Resume, and return the dataset."""
    status, _, err = end(start(folder, target, "--resume", "--quiet", *more, seconds=0))
    assert (status, err) == (0, "")
    return load(target)
