"""Sweeps on Dask: the same bits, a lost worker's chunk computed by another, and no need of Dask without it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fakes import playback
from fakes.processes import PROMPT, end, finish, start, wait_for_portions
from fakes.sweep import assert_same, load
from gpucrust.jobs.store import StoreError
from gpucrust.sweep.errors import SweepError

distributed = pytest.importorskip("distributed")
from gpucrust.jobs import cluster  # noqa: E402

WORKERS_PLAY_BACK = {"DASK_DISTRIBUTED__WORKER__PRELOAD": json.dumps([playback.__file__])}


def test_workers_give_the_same_dataset_and_a_killed_ones_chunk_goes_to_another(
    work,
    undisturbed,
    tmp_path,
):
    target, mark = tmp_path / "x.zarr", tmp_path / "killed"
    process = start(work, target, "--workers", 2, "--json", **WORKERS_PLAY_BACK, PLAYBACK_KILLER=str(mark))
    status, out, _ = end(process)
    assert status == 0
    assert mark.exists()
    assert_same(load(target), undisturbed)
    assert json.loads(out.splitlines()[-1])["event"] == "finished"


def test_a_chunk_that_kills_its_workers_is_one_line(work, tmp_path):
    target = tmp_path / "x.nc"
    environment = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0", **WORKERS_PLAY_BACK}
    process = start(work, target, "--workers", 1, "--quiet", **environment, PLAYBACK_KILLER=playback.ALWAYS)
    status, _, err = end(process)
    assert status == 2
    assert "ended 1 worker" in err.strip().splitlines()[-1]
    assert "chunk" in err
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_elsewhere(work, undisturbed, tmp_path, monkeypatch):
    """Workers of a cluster that the run did not start; one joins late."""
    monkeypatch.setenv(playback.EVOLUTIONS, str(work / "evolutions"))
    monkeypatch.setenv(playback.SECONDS, "0.3")
    options = {"preload": [playback.__file__], "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(n_workers=1, **options) as remote:
        process = start(work, tmp_path / "x.nc", "--scheduler", remote.scheduler_address, "--quiet")
        remote.scale(2)
        status, _, err = end(process)
    assert (status, err) == (0, "")
    assert_same(load(tmp_path / "x.nc"), undisturbed)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_with_its_workers_a_run_says_one_line(work, tmp_path, number, status):
    """As a terminal asks on Ctrl-C, and Slurm: all processes at once."""
    target = tmp_path / "x.nc"
    process = start(work, target, "--workers", 2, "--quiet", seconds=0.5, **WORKERS_PLAY_BACK)
    wait_for_portions(target, 2, process)
    os.killpg(process.pid, number)
    stopped, _, err = end(process)
    assert stopped == status
    assert len(err.strip().splitlines()) == 1
    assert "of 60 evolutions are saved, go on with: gpucrust run" in err
    assert "--workers 2 --resume" in err


def test_a_scheduler_that_is_lost_is_one_line_and_what_was_saved_stays(work, undisturbed, tmp_path):
    file, target = tmp_path / "scheduler.json", tmp_path / "x.nc"
    environment = {**os.environ, playback.EVOLUTIONS: str(work / "evolutions"), playback.SECONDS: "0.5"}
    environment["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "2s"

    def begin(what, *more):
        program = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(file)]
        return subprocess.Popen([*program, "--no-dashboard", *more], env=environment, stderr=subprocess.DEVNULL)

    scheduler = begin("scheduler", "--port", "0", "--host", "127.0.0.1")
    worker = begin("worker", "--nthreads", "1", "--no-nanny", "--preload", playback.__file__)
    try:
        deadline = time.monotonic() + PROMPT
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        timeout = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
        process = start(work, target, "--scheduler", address, "--quiet", **timeout)
        wait_for_portions(target, 2, process)
        scheduler.kill()
        status, _, err = end(process)
    finally:
        for started in (scheduler, worker):
            started.kill()
            started.wait()
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert "of 60 evolutions are saved, go on with: gpucrust run" in err
    assert_same(finish(work, target), undisturbed)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1"])
def test_no_scheduler_there_is_one_line(work, played_back, tmp_path, command, monkeypatch, address):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    status, _, err = command("run", work / "s.toml", "-o", tmp_path / "x.nc", "--scheduler", address)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert f"--scheduler {address}: no Dask scheduler answers there" in err


def test_workers_and_scheduler_exclude_each_other(work, tmp_path, command):
    arguments = ["run", work / "s.toml", "-o", tmp_path / "x.nc", "--scheduler", "tcp://h:1", "--workers", 2]
    status, _, err = command(*arguments)
    assert status == 2
    assert "give one of them" in err


def test_a_worker_that_does_not_see_the_store_says_so(plan, tmp_path):
    with pytest.raises(StoreError, match="put the output on a file system that all see"):
        cluster.Work(plan, tmp_path / "nowhere", None, []).compute(0)


def test_each_worker_gets_its_own_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert cluster._gpus(2) == ["3", "5"]
    with pytest.raises(SweepError, match="has 2 GPUs, and each worker needs its own"):
        cluster._gpus(3)


WITHOUT_DASK = """
import runpy, sys
sys.modules |= {"dask": None, "distributed": None}
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_without_dask_everything_else_works(work, undisturbed, tmp_path):
    def run(target, *more):
        arguments = [sys.executable, "-c", WITHOUT_DASK, playback.__file__, "run", work / "s.toml", "-o", target, *more]
        environment = {**os.environ, playback.EVOLUTIONS: str(work / "evolutions")}
        done = subprocess.run(list(map(str, arguments)), env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    status, err = run(tmp_path / "x.nc", "--workers", 2)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "pip install 'gpucrust[dask]'" in err
    assert list(tmp_path.iterdir()) == []
    assert run(tmp_path / "x.zarr", "--save-every", 8, "--quiet") == (0, "")
    assert_same(load(tmp_path / "x.zarr"), undisturbed)
