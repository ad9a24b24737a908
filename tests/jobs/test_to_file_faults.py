"""What happens to runs: killed, interrupted, out of disk, damaged, doubled. Nothing finished is lost, nothing wrong is
written: the result is that of an undisturbed run, to the last bit.

Runs are processes of the real command with played-back evolutions for an engine (tests/fakes/playback.py), so that
there is time for many; one test, and those marked slow, have the real engine.
"""

import contextlib
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fakes import playback
from fakes.processes import end, finish, start, wait_for_portions
from fakes.sweep import SWEEP, assert_same, load
from gpucrust.jobs.in_memory import compute
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.store import Store, StoreError
from gpucrust.jobs.to_file import run_to_file
from gpucrust.status import Status
from gpucrust.sweep.config import load_sweep
from gpucrust.sweep.plan import make_plan

# --- kill -9


def kill_at_random(folder, tmp_path, expected, kills, engine, seed):
    """Kill runs at moments spread over all they do, resume, and compare whenever a run gets to its end."""
    rng = random.Random(seed)
    began = time.monotonic()
    first = tmp_path / "first.nc"
    assert end(start(folder, first, "--quiet", engine=engine))[0] == 0
    duration = time.monotonic() - began
    assert_same(load(first), expected)
    rounds, killed, finished = 0, 0, 0
    while killed < kills:
        target = tmp_path / f"{rounds}{'.nc' if rounds % 2 else '.zarr'}"
        process = start(folder, target, "--resume", "--quiet", engine=engine)
        try:
            process.wait(rng.uniform(0.05, duration))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
            end(process)
            assert not target.exists() or load(target).sizes  # whole or not there
            continue
        assert end(process)[0] == 0
        assert_same(load(target), expected)
        rounds, finished = rounds + 1, finished + 1
    status, _, err = end(start(folder, target, "--resume", "--quiet", engine=engine))
    assert status == 0
    # a kill between the renaming into place and the end of the process leaves a finished result
    assert err == "" or err.endswith("is finished\n")
    assert_same(load(target), expected)
    assert not PartialFolder(target).path.exists()
    return killed


def test_twenty_kills(work, undisturbed, tmp_path):
    assert kill_at_random(work, tmp_path, undisturbed, 20, "playback", seed=1) == 20


def test_a_kill_of_the_real_engine(work, undisturbed, tmp_path):
    target = tmp_path / "x.nc"
    process = start(work, target, engine="real")
    wait_for_portions(target, 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    assert not target.exists()
    assert 0 < len(Store(PartialFolder(target).store).pending()) <= 6
    assert end(start(work, target, "--resume", "--quiet", engine="real"))[0] == 0
    assert_same(load(target), undisturbed)


@pytest.mark.slow
def test_twenty_kills_of_the_real_engine(work, undisturbed, tmp_path):
    assert kill_at_random(work, tmp_path, undisturbed, 20, "real", seed=2) == 20


def test_a_kill_after_the_last_step_leaves_a_result_that_resuming_completes(plan, half, work, command, monkeypatch):
    """The store is removed, and the figure drawn, once the result is in its place."""

    def killed(_):
        raise SystemExit

    with monkeypatch.context() as m:
        m.setattr(PartialFolder, "remove", killed)
        with pytest.raises(SystemExit):
            run_to_file(plan, half, resume=True)
    assert PartialFolder(half).store.exists()
    before = half.stat().st_mtime_ns
    status, _, err = command("run", work / "s.toml", "-o", half, "--resume")
    assert (status, half.stat().st_mtime_ns) == (0, before)
    assert "x.nc is finished" in err
    assert sorted(p.name for p in half.parent.iterdir()) == ["x.nc", "x.png"]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_result_outlives_a_loss_of_power_before_it_has_its_name(plan, played_back, tmp_path, monkeypatch, suffix):
    target, safe, named = tmp_path / f"x{suffix}", set(), []
    fsync, replace = os.fsync, os.replace

    def written_out(handle):
        safe.add(os.fstat(handle).st_ino)
        fsync(handle)

    def renamed(a, b):
        if Path(b) == target:
            named.extend(path.stat().st_ino for path in (Path(a), *Path(a).rglob("*")))
            assert safe >= set(named)
        replace(a, b)

    monkeypatch.setattr(os, "fsync", written_out)
    monkeypatch.setattr(os, "replace", renamed)
    run_to_file(plan, target, save_every=16)
    assert named
    assert tmp_path.stat().st_ino in safe


# --- asked to stop


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_asked_to_stop_says_how_to_resume(work, undisturbed, tmp_path, number, status):
    target = tmp_path / "a name with spaces.zarr"
    process = start(work, target, "--device", "cpu")
    wait_for_portions(target, 2, process)
    process.send_signal(number)
    stopped, _, err = end(process)
    assert stopped == status
    message = err.strip().splitlines()[-1]
    assert "of 60 evolutions are saved, go on with: gpucrust run" in message
    command = shlex.split(message.split("go on with: ")[1])
    assert command[:2] == ["gpucrust", "run"]
    assert command[-3:] == ["--device", "cpu", "--resume"]
    environment = {**os.environ, playback.EVOLUTIONS: str(work / "evolutions")}
    subprocess.run([sys.executable, playback.__file__, *command[1:], "--quiet"], env=environment, check=True)
    assert_same(load(target), undisturbed)


# --- disk


def test_a_file_that_may_not_grow_is_one_line_and_what_was_saved_stays(work, undisturbed, tmp_path):
    """A quota: no file of more than 60 kB, which a chunk's profiles are not and the result is."""
    target = tmp_path / "x.nc"
    process = start(work, target, "--quiet", PLAYBACK_FILE_LIMIT="60000")
    status, _, err = end(process)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert "60 of 60 evolutions are saved, go on with: gpucrust run" in err
    assert not target.exists()
    assert_same(finish(work, target), undisturbed)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", path], check=False, capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"no file system can be mounted here: {mount.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_disk_that_fills_is_one_line_and_what_was_saved_stays(work, undisturbed, small_disk):
    target = small_disk / "x.nc"
    process = start(work, target, "--quiet", seconds=0.5)
    wait_for_portions(target, 2, process)
    with open(small_disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    status, _, err = end(process)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert "No space left on device" in err
    assert "go on with: gpucrust run" in err
    (small_disk / "ballast").unlink()
    assert 1 <= len(Store(PartialFolder(target).store).pending()) <= 6
    assert_same(finish(work, target), undisturbed)


# --- damage


def pieces(target, array):
    """Files of an array of a store."""
    return sorted(p for p in (PartialFolder(target).store / array).rglob("*") if p.is_file() and p.name != "zarr.json")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize("array", ["profiles", "summary", "layers", "layer_count", "checksum", "status"])
@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_a_damaged_chunk_is_computed_again(plan, undisturbed, half, damage, array):
    damage(pieces(half, array)[0])
    log_before = len(PartialFolder(half).history())
    run_to_file(plan, half, resume=True)
    ds = load(half)
    assert_same(ds, undisturbed)
    # without its status a chunk is simply pending
    assert ("damaged: chunks" in ds.history) == (array != "status" or damage is flip)
    assert log_before == 4  # started, and three chunks


@pytest.mark.parametrize("part", [".", "status", "summary", "profiles"])
@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"), Path.unlink])
def test_damage_to_what_a_store_is_made_of_is_one_line(plan, half, damage, part):
    damage(PartialFolder(half).store / part / "zarr.json")
    with pytest.raises(StoreError, match="not a store that can be read; --overwrite starts afresh"):
        run_to_file(plan, half, resume=True)


# --- members that fail


def test_failing_members_leave_their_neighbours_untouched(work, undisturbed, tmp_path):
    """Every second member runs off the chart; the others are those of a sweep without them."""
    (tmp_path / "s.toml").write_text(SWEEP.replace('"fe56", "edge"', '"fe56"'))
    alone = compute(make_plan(load_sweep(tmp_path / "s.toml")), save_every=64)
    np.testing.assert_array_equal(alone.status, Status.OK)
    np.testing.assert_array_equal(undisturbed.status.sel(ash="edge"), Status.CHART_EDGE)
    for name in ("mu_e", "J_n", "regime", "total_heat", "n_steps", "broken_thickness", "max_J_ratio"):
        np.testing.assert_array_equal(undisturbed[name].sel(ash=["fe56"]), alone[name], err_msg=name)
    for name in ("layer_P_start", "layer_thickness"):
        np.testing.assert_array_equal(undisturbed[name], alone[name], err_msg=name)
    missing = undisturbed.sel(ash="edge")
    for name in ("mu_e", "J_n", "total_heat", "broken_thickness", "max_J_ratio"):
        assert np.all(np.isnan(missing[name])), name
