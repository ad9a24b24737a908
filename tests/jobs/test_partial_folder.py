"""The folder of a run: one run at a time has it, however the one before ended, and wherever clocks and hosts are."""

import os
import socket
import time

import pytest

from fakes.processes import end, start, wait_for_portions
from fakes.sweep import assert_same, load
from gpucrust.jobs import partial_folder
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.store import StoreError
from gpucrust.jobs.to_file import run_to_file


def test_a_log_line_broken_off_does_not_matter(plan, undisturbed, half):
    log = PartialFolder(half).path / "log.jsonl"
    log.write_text(log.read_text()[:-7])
    run_to_file(plan, half, resume=True)
    assert_same(load(half), undisturbed)


def test_the_second_of_two_runs_is_refused_and_the_first_goes_on(work, undisturbed, tmp_path):
    target = tmp_path / "x.zarr"
    first = start(work, target, "--quiet", seconds=2)
    wait_for_portions(target, 1, first)
    for second in [start(work, target, *more) for more in ([], ["--resume"], ["--overwrite"])]:
        status, _, err = end(second)
        assert status == 2
        assert len(err.strip().splitlines()) == 1
        assert f"another run is writing it (process {first.pid} on {socket.gethostname()}" in err
    assert end(first)[0] == 0
    assert_same(load(target), undisturbed)


def test_a_result_that_another_run_wrote_meanwhile_is_not_replaced(plan, undisturbed, played_back, tmp_path):
    """The other ended between the command's look for the output and its lock."""
    target = tmp_path / "x.nc"
    run_to_file(plan, target)
    for resume in (False, True):
        with pytest.raises(StoreError, match="another run has just written it"):
            run_to_file(plan, target, resume=resume)
    assert_same(load(target), undisturbed)


def test_a_lock_is_gone_with_its_holder_whatever_it_says(plan, undisturbed, half, monkeypatch):
    """Another host, a process number in use, a clock that has gone back: only the kernel's lock counts."""
    lock = PartialFolder(half).path / "lock"
    lock.write_text(f"process {os.getpid()} on elsewhere, since 2099-01-01T00:00:00+00:00\n")
    for path in PartialFolder(half).path.rglob("*"):
        os.utime(path, (0, 0))
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    monkeypatch.setattr(time, "time", lambda: -1e9)
    monkeypatch.setattr(partial_folder, "_now", lambda: "1970-01-01T00:00:00+00:00")
    run_to_file(plan, half, resume=True)
    ds = load(half)
    assert_same(ds, undisturbed)
    assert ds.wall_time_seconds >= 0


def test_the_lock_of_a_folder_that_was_removed_meanwhile_is_not_taken_for_one(tmp_path):
    """Between opening and locking, the run before ends and removes its folder."""
    first, second = PartialFolder(tmp_path / "x.nc"), PartialFolder(tmp_path / "x.nc")
    first.acquire()
    with pytest.raises(StoreError, match="another run"):
        second.acquire()
    first.remove()
    second.acquire()
    assert (second.path / "lock").exists()
    third = PartialFolder(tmp_path / "x.nc")
    with pytest.raises(StoreError, match="another run"):
        third.acquire()
    second.release()
    first.release()
    assert list(tmp_path.iterdir()) == []
