"""A small sweep whose evolutions are computed once for all tests of stores, faults and clusters, and its fixtures."""

import pickle
import sys

import numpy as np
import pytest

from fakes import playback
from gpucrust import cli
from gpucrust.engine.ensemble import evolve
from gpucrust.jobs import computing
from gpucrust.jobs.to_file import run_to_file
from gpucrust.results.dataset import RunInfo, build_dataset
from gpucrust.results.files import open_result
from gpucrust.sweep.config import load_sweep
from gpucrust.sweep.plan import make_plan

SWEEP = """
[axes]
mass_model = ["DZ31"]
ash = ["fe56", "edge"]
sample = 10
g = [1e14, 2e14]
mdot = [3e4, 6e4]
pycno_log10_scale = [0.0]
[ash]
edge = {Nd150 = 1.0}
[physics]
policy = "mixed"
[perturbation]
sigma = 0.3
[stepper]
P_end = 3e30
dlnP = 0.2
chunk = 0.1
[output]
ground_state = false
"""
RUN_DEPENDENT = ("history", "wall_time_seconds")
"""Attributes that tell of a run, not of a sweep."""


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """A folder with the sweep file, and the evolutions of the sweep, of which half fail."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "s.toml").write_text(SWEEP)
    plan = make_plan(load_sweep(folder / "s.toml"))
    evolution = evolve(plan.evolutions, plan.problem)
    playback.keep(folder / "evolutions", plan.evolutions, evolution)
    return folder


@pytest.fixture(scope="session")
def plan(work):
    return make_plan(load_sweep(work / "s.toml"))


@pytest.fixture(scope="session")
def undisturbed(work, plan):
    """The dataset made in one go, in memory."""
    return build_dataset(plan, pickle.loads((work / "evolutions").read_bytes())[1], RunInfo("cpu", 0.0))


@pytest.fixture
def played_back(work, monkeypatch):
    monkeypatch.setattr(computing, "evolve_each", playback.playing_back(work / "evolutions"))


def assert_same(ds, expected):
    """Bits, types, dimensions and attributes."""
    assert set(ds.variables) == set(expected.variables)
    for name, variable in expected.variables.items():
        ours = ds.variables[name]
        assert ours.dims == variable.dims, name
        if variable.dtype.kind in "fi":
            assert ours.dtype == variable.dtype, name
            assert ours.values.tobytes() == variable.values.tobytes(), name
        else:
            np.testing.assert_array_equal(ours.values, variable.values)
        assert set(ours.attrs) == set(variable.attrs), name
        for key, value in variable.attrs.items():
            np.testing.assert_array_equal(ours.attrs[key], value, err_msg=f"{name}.{key}")
            assert np.asarray(ours.attrs[key]).dtype.kind == np.asarray(value).dtype.kind


def load(path):
    with open_result(path) as ds:
        return ds.load()


def stop_after(n):
    """A progress function that stops a run when so many evolutions are done."""

    def progress(standing):
        if standing.done >= n:
            raise KeyboardInterrupt

    return progress


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command with arguments: (exit status, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["gpucrust", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return call


@pytest.fixture
def half(plan, played_back, tmp_path):
    """The output of a run that stopped half-way."""
    target = tmp_path / "x.nc"
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, save_every=8, progress=stop_after(24))
    return target
