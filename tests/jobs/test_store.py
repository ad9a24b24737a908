"""Sweeps in chunks: whatever the chunks, the blocks, the format or the run, the dataset is the same to the last bit."""

import json
import pickle
import re

import numpy as np
import pytest
import xarray as xr

from fakes.sweep import RUN_DEPENDENT, SWEEP, assert_same, load, stop_after
from gpucrust.cli.progress import Bar
from gpucrust.jobs import in_memory as sweep
from gpucrust.jobs.costs import Calibration
from gpucrust.jobs.partial_folder import Folder
from gpucrust.jobs.store import PENDING, Store, StoreError
from gpucrust.jobs.to_file import run_to_file
from gpucrust.profiles.reduced import concatenate, evolutions_at, records_of, take
from gpucrust.status import Status
from gpucrust.sweep import plan as planning
from gpucrust.sweep.config import SweepError, check_sweep
from gpucrust.sweep.plan import make_chunks, make_plan
from gpucrust.sweep.provenance import identity

# --- one dataset


def test_the_sweep_has_layers_failures_and_shared_evolutions(plan, undisturbed):
    """What follows would not test much otherwise."""
    assert (plan.n_members, plan.n_evolutions) == (80, 60)
    assert undisturbed.sizes["layer"] > 10
    np.testing.assert_array_equal(np.unique(undisturbed.status), [Status.OK, Status.CHART_EDGE])


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("save_every", [None, 8, 16, 64])
def test_chunks_and_formats_give_the_same_dataset(plan, undisturbed, replayed, tmp_path, suffix, save_every):
    target = tmp_path / f"x{suffix}"
    status = run_to_file(plan, target, save_every=save_every)
    assert status.size == 60
    assert_same(load(target), undisturbed)
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


def test_the_engine_gives_the_same_bits_in_chunks(plan, undisturbed, tmp_path):
    """8 lanes, where the recorded evolutions had 64."""
    run_to_file(plan, tmp_path / "x.nc", save_every=8)
    assert_same(load(tmp_path / "x.nc"), undisturbed)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_xarray_opens_both_without_our_help(plan, undisturbed, replayed, tmp_path, suffix):
    target = tmp_path / f"x{suffix}"
    run_to_file(plan, target, save_every=32)
    engine = "zarr" if suffix == ".zarr" else "netcdf4"
    with xr.open_dataset(target, engine=engine) as ds:
        for key in RUN_DEPENDENT:
            ds.attrs[key] = undisturbed.attrs[key]
        xr.testing.assert_identical(ds[list(undisturbed.data_vars)].load(), undisturbed.assign_attrs(device=ds.device))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("members", [1, 3, 25])
def test_blocks_of_members_make_up_the_same_dataset(
    plan, undisturbed, replayed, tmp_path, monkeypatch, suffix, members
):
    monkeypatch.setattr(planning, "BLOCK_BYTES", members * plan.member_bytes)
    run_to_file(plan, tmp_path / f"x{suffix}", save_every=16)
    assert_same(load(tmp_path / f"x{suffix}"), undisturbed)


@pytest.mark.parametrize("changes", [{"pycno": False}, {"profiles": False}, {"composition": True}])
def test_other_outputs_in_blocks_too(tmp_path, monkeypatch, changes):
    output = {"ground_state": "pycno" in changes}
    data = {
        "axes": {
            "mass_model": ["DZ31"],
            "ash": ["fe56", "edge"],
            "pycno_log10_scale": [-1.0, 0.0],
            "sample": 2,
            "g": [1e14, 2e14],
            "mdot": [1e3, 2e3],
        },
        "ash": {"edge": {"Nd150": 1.0}},
        "physics": {"policy": "mixed"},
        "perturbation": {"sigma": 1.0},
        "output": output,
        "stepper": {"P_end": 2e28, "chunk": 0.1, "dlnP": 0.3},
    }
    data["physics" if "pycno" in changes else "output"] |= changes
    plan = make_plan(check_sweep(data))
    in_one = sweep.compute(plan, save_every=8)
    monkeypatch.setattr(planning, "BLOCK_BYTES", plan.member_bytes)
    for suffix in (".nc", ".zarr"):
        run_to_file(plan, tmp_path / f"x{suffix}", save_every=8)
        assert_same(load(tmp_path / f"x{suffix}"), in_one)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_sweep_of_which_no_member_has_a_result(tmp_path, suffix):
    """Not even a nuclide."""
    data = {
        "axes": {"mass_model": ["DZ31"], "ash": ["edge"], "sample": 9},
        "ash": {"edge": {"Nd150": 1.0}},
        "physics": {"policy": "mixed"},
        "output": {"composition": True, "ground_state": False},
        "stepper": {"P_end": 2e28, "chunk": 0.1, "dlnP": 0.3},
    }
    plan = make_plan(check_sweep(data))
    in_one = sweep.compute(plan)
    assert (in_one.sizes["nuclide"], in_one.sizes["layer"]) == (0, 0)
    np.testing.assert_array_equal(in_one.status, Status.CHART_EDGE)
    run_to_file(plan, tmp_path / f"x{suffix}", save_every=8)
    assert_same(load(tmp_path / f"x{suffix}"), in_one)


def test_records_taken_apart_and_put_together_are_the_same(work, plan):
    everyone = records_of(plan, pickle.loads((work / "recorded").read_bytes())[1])
    parts = [take(everyone, np.arange(a, b)) for a, b in ((0, 7), (7, 8), (8, 60))]
    again = concatenate(parts)
    for name in ("status", "summary", "layer_count", "layers", "profiles"):
        np.testing.assert_array_equal(getattr(again, name), getattr(everyone, name))
    backwards = take(everyone, np.arange(60)[::-1])
    np.testing.assert_array_equal(take(backwards, np.arange(60)[::-1]).layers, everyone.layers)


def test_records_do_not_depend_on_how_many_are_made_at_a_time(work, plan):
    evolution = pickle.loads((work / "recorded").read_bytes())[1]
    everyone = records_of(plan, evolution)
    for rows in (np.arange(5), np.arange(13, 24), np.array([59])):
        some = records_of(plan, evolutions_at(evolution, rows))
        np.testing.assert_array_equal(some.profiles, everyone.profiles[rows])
        np.testing.assert_array_equal(some.layers, take(everyone, rows).layers)


# --- resuming


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_run_that_stopped_goes_on_where_it_was(plan, undisturbed, replayed, tmp_path, monkeypatch, suffix):
    target = tmp_path / f"x{suffix}"
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, save_every=8, progress=stop_after(24))
    assert not target.exists()
    store = Store(Folder(target).store)
    assert store.pending() == [3, 4, 5, 6, 7]
    computed, inner = [], sweep.evolve_each

    def counting(members, *arguments, **options):
        computed.append(len(members.model))
        return inner(members, *arguments, **options)

    monkeypatch.setattr(sweep, "evolve_each", counting)
    standings = []
    run_to_file(plan, target, resume=True, save_every=64, progress=standings.append)  # the store's chunks hold
    assert computed == [36]
    assert (standings[0].resumed, standings[-1].done, standings[-1].phase) == (24, 60, "writing")
    ds = load(target)
    assert_same(ds, undisturbed)
    assert "resumed" in ds.history
    assert "computed: ok 30, chart_edge 30" in ds.history
    assert ds.history.count("\n") == 3
    assert not Folder(target).path.exists()


def test_status_is_written_last(plan, replayed, tmp_path, monkeypatch):
    """A chunk whose writing breaks off anywhere before its status is pending."""
    target = tmp_path / "x.nc"
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, save_every=8, progress=stop_after(8))
    store = Store(Folder(target).store)
    records = store.read(0, 8)
    written = []
    array = Store._array

    def logged(self, name):
        written.append(name)
        if name == "status":
            raise OSError("the disk has gone")
        return array(self, name)

    monkeypatch.setattr(Store, "_array", logged)
    with pytest.raises(OSError, match="gone"):
        store.write(1, records)
    assert written[-2:] == ["checksum", "status"]
    assert {"summary", "layers", "layer_count", "profiles"} <= set(written[:-2])
    monkeypatch.undo()
    assert 1 in store.pending()


def test_resuming_what_is_finished_or_has_not_begun(plan, undisturbed, replayed, work, tmp_path, command):
    target = tmp_path / "x.nc"
    arguments = ["run", work / "s.toml", "-o", target, "--resume"]
    assert command(*arguments, "--quiet")[0] == 0
    assert_same(load(target), undisturbed)
    before = target.stat().st_mtime_ns
    status, _, err = command(*arguments)
    assert (status, target.stat().st_mtime_ns) == (0, before)
    assert "x.nc is finished" in err


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("stepper.chunk=0.05", "stepper.chunk is 0.1 there and 0.05 here"),
        ("axes.g=[1e14,3e14]", "axes.g is"),
        ("physics.ame=AME2020", "physics.ame is"),
    ],
)
def test_another_sweep_is_refused_with_what_differs(half, work, command, setting, says):
    before = sorted(half.parent.rglob("*"))
    status, _, err = command("run", work / "s.toml", "-o", half, "--resume", "--set", setting)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert "holds another sweep" in err
    assert says in err
    assert sorted(half.parent.rglob("*")) == before


def test_other_masses_under_the_same_name_are_refused(replayed, tmp_path, command):
    """The sweep's text is the same: what the name stands for has changed."""
    table, text, target = tmp_path / "mine.csv", tmp_path / "s.toml", tmp_path / "x.nc"
    text.write_text(SWEEP.replace('"DZ31"', '"mine"') + "[masses.tables]\nmine = 'mine.csv'\n")
    table.write_text("Z,N,mass_excess\n26,30,-60.6\n")
    with pytest.raises(KeyboardInterrupt):
        run_to_file(make_plan(sweep.load_sweep(text), tmp_path), target, save_every=8, progress=stop_after(8))
    table.write_text("Z,N,mass_excess\n26,30,-60.5\n")
    status, _, err = command("run", text, "-o", target, "--resume")
    assert status == 2
    assert "the nuclear masses differ" in err


def test_another_version_is_refused(half, plan, monkeypatch):
    monkeypatch.setattr("gpucrust.__version__", "99.0")
    with pytest.raises(StoreError, match=r"it is of gpucrust 0\.\S+, and this is 99\.0"):
        run_to_file(plan, half, resume=True)


def test_without_resume_a_store_is_neither_used_nor_lost(half, plan, undisturbed):
    with pytest.raises(SweepError, match="holds 3 of 8 chunks of this sweep: go on with --resume, or start afresh"):
        run_to_file(plan, half)
    assert len(Store(Folder(half).store).pending()) == 5
    run_to_file(plan, half, overwrite=True)
    assert_same(load(half), undisturbed)


def test_a_result_of_another_sweep_is_not_resumed(plan, undisturbed, replayed, work, tmp_path, command):
    target = tmp_path / "x.zarr"
    run_to_file(plan, target)
    arguments = ["run", work / "s.toml", "-o", target, "--resume", "--set"]
    status, _, err = command(*arguments, "stepper.slots=12")
    assert status == 2
    assert "result of another sweep (stepper.slots is 16 there and 12 here)" in err
    (tmp_path / "y.nc").write_text("not ours")
    status, _, err = command("run", work / "s.toml", "-o", tmp_path / "y.nc", "--resume")
    assert status == 2
    assert "not a result" in err
    assert (tmp_path / "y.nc").read_text() == "not ours"


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_overwriting_replaces_when_the_new_is_whole(plan, undisturbed, replayed, tmp_path, suffix):
    target = tmp_path / f"x{suffix}"
    run_to_file(plan, target)
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, overwrite=True, save_every=8, progress=stop_after(24))
    assert_same(load(target), undisturbed)
    run_to_file(plan, target, resume=True, overwrite=True)
    assert_same(load(target), undisturbed)
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


def test_a_store_that_is_none(plan, replayed, tmp_path):
    folder = Folder(tmp_path / "x.nc")
    folder.store.mkdir(parents=True)
    (folder.store / "zarr.json").write_text("{}")
    with pytest.raises(StoreError, match="--overwrite starts afresh"):
        run_to_file(plan, tmp_path / "x.nc", resume=True)


def test_a_new_store_is_all_pending(plan, tmp_path):
    store = Store.create(tmp_path / "store", plan, make_chunks(plan, 16))
    assert store.pending() == [0, 1, 2, 3]
    assert store.status().size == 0
    assert store.identity == identity(plan)
    assert np.asarray(store.arrays["status"][:]).tolist() == [PENDING] * 60
    assert store.damaged() == []


# --- what is told


def test_lanes_go_on_from_chunk_to_chunk_and_progress_only_rises(plan, undisturbed, monkeypatch):
    """Through four streams of two chunks, all but the last of 16 evolutions in up to 64 lanes."""
    monkeypatch.setattr(sweep, "STREAM", 16)
    standings = []
    ds = sweep.compute(plan, save_every=8, progress=standings.append)
    for name in ("status", "mu_e", "layer_P_start", "layer_thickness", "max_J_ratio"):
        np.testing.assert_array_equal(ds[name], undisturbed[name], err_msg=name)
    assert len(standings) > 8
    for values in ([s.done for s in standings], [s.failed for s in standings], [s.fraction for s in standings]):
        assert np.all(np.diff(values) >= -1e-12)
    last = standings[-1]
    assert (last.done, last.failed, last.total, last.fraction) == (60, 30, 60, 1.0)


def test_json_lines(work, replayed, tmp_path, command):
    status, out, _ = command("run", work / "s.toml", "-o", tmp_path / "x.nc", "--json", "--save-every", 8)
    assert status == 0
    events = [json.loads(line) for line in out.splitlines()]
    progress = [e for e in events if e["event"] == "progress"]
    assert progress[-1] | {"done": 60, "failed": 30, "total": 60, "fraction": 1.0} == progress[-1]
    last = events[-1]
    assert (last["event"], last["output"]) == ("finished", str(tmp_path / "x.nc"))
    assert last["members"] == {"ok": 40, "chart_edge": 40}


def test_time_left_is_told_however_rarely_chunks_end():
    bar = Bar()
    with bar:
        for done in (100, 200):  # of a run that found 50 done, a chunk of 50 a minute
            bar.standing(sweep.Standing(done, 0, 400, done / 400, (done - 50) * 1.2, resumed=50))
    assert bar.bar.tasks[0].fields["left"] == "0:04:00"


def test_the_summary_counts_failures_and_quiet_is_quiet(work, replayed, tmp_path, command):
    arguments = ["run", work / "s.toml", "-o"]
    status, out, err = command(*arguments, tmp_path / "x.nc", "--save-every", 8)
    assert status == 0
    assert "60/60, 30 failed" in err
    assert "chart_edge" in out
    assert "40" in out
    assert command(*arguments, tmp_path / "y.nc", "--quiet") == (0, "", "")


def test_dry_run_tells_members_evolutions_chunks_and_costs(work, replayed, tmp_path, command, monkeypatch):
    evolution = pickle.loads((work / "recorded").read_bytes())[1]
    monkeypatch.setattr("gpucrust.jobs.costs.evolve", lambda *_, **__: evolution)
    arguments = ["run", work / "s.toml", "-o", tmp_path / "x.nc", "--dry-run", "--save-every", 8]
    status, out, _ = command(*arguments)
    assert status == 0
    assert "80 members, 60 distinct evolutions, 42 pressures; 8 chunks of 8" in out
    assert "g: 2: 1e+14, 2e+14" in out
    for name in ("memory", "disk", "time"):
        assert f"{name}: about" in out
    status, out, _ = command(*arguments, "--json")
    (event,) = [json.loads(line) for line in out.splitlines()]
    assert (event["members"], event["evolutions"], event["chunks"]) == (80, 60, 8)
    assert event["seconds"] > 0
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("gpucrust.jobs.costs.calibrate", lambda *_: Calibration(0.0, 0.0, False))
    assert "time: more than can be foretold" in command(*arguments)[1]
    assert json.loads(command(*arguments, "--json")[1])["seconds"] is None
    monkeypatch.setattr("gpucrust.jobs.costs.free_disk", lambda _: 1000)
    status, _, err = command(*arguments)
    assert status == 2
    assert re.search(r"--set output.profiles=false and about \d members would fit", err)
