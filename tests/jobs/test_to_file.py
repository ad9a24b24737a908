"""Sweeps to files: whatever portions, blocks, format or run, the dataset is the same to the last bit."""

import numpy as np
import pytest
import xarray as xr

from fakes.sweep import RUN_DEPENDENT, SWEEP, assert_same, load, stop_after
from gpucrust.jobs import computing
from gpucrust.jobs.in_memory import compute
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.store import Store, StoreError
from gpucrust.jobs.to_file import run_to_file
from gpucrust.status import Status
from gpucrust.sweep.config import check_sweep, load_sweep
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import make_plan

# --- one dataset


def test_the_sweep_has_layers_failures_and_shared_evolutions(plan, undisturbed):
    """What follows would not test much otherwise."""
    assert (plan.n_members, plan.n_evolutions) == (80, 60)
    assert undisturbed.sizes["layer"] > 10
    np.testing.assert_array_equal(np.unique(undisturbed.status), [Status.OK, Status.CHART_EDGE])


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("save_every", [None, 8, 16, 64])
def test_chunks_and_formats_give_the_same_dataset(plan, undisturbed, played_back, tmp_path, suffix, save_every):
    target = tmp_path / f"x{suffix}"
    status = run_to_file(plan, target, save_every=save_every)
    assert status.size == 60
    assert_same(load(target), undisturbed)
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_xarray_opens_both_without_our_help(plan, undisturbed, played_back, tmp_path, suffix):
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
    plan, undisturbed, played_back, tmp_path, monkeypatch, suffix, members
):
    monkeypatch.setattr("gpucrust.sweep.plan.BLOCK_BYTES", members * plan.member_bytes)
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
    in_one = compute(plan, save_every=8)
    monkeypatch.setattr("gpucrust.sweep.plan.BLOCK_BYTES", plan.member_bytes)
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
    in_one = compute(plan)
    assert (in_one.sizes["nuclide"], in_one.sizes["layer"]) == (0, 0)
    np.testing.assert_array_equal(in_one.status, Status.CHART_EDGE)
    run_to_file(plan, tmp_path / f"x{suffix}", save_every=8)
    assert_same(load(tmp_path / f"x{suffix}"), in_one)


# --- resuming


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_run_that_stopped_goes_on_where_it_was(plan, undisturbed, played_back, tmp_path, monkeypatch, suffix):
    target = tmp_path / f"x{suffix}"
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, save_every=8, progress=stop_after(24))
    assert not target.exists()
    store = Store(PartialFolder(target).store)
    assert store.pending() == [3, 4, 5, 6, 7]
    computed, inner = [], computing.evolve_each

    def counting(members, *arguments, **options):
        computed.append(len(members.model))
        return inner(members, *arguments, **options)

    monkeypatch.setattr(computing, "evolve_each", counting)
    standings = []
    run_to_file(plan, target, resume=True, save_every=64, progress=standings.append)  # the store's chunks hold
    assert computed == [36]
    assert (standings[0].resumed, standings[-1].done, standings[-1].phase) == (24, 60, "writing")
    ds = load(target)
    assert_same(ds, undisturbed)
    assert "resumed" in ds.history
    assert "computed: ok 30, chart_edge 30" in ds.history
    assert ds.history.count("\n") == 3
    assert not PartialFolder(target).path.exists()


def test_resuming_what_is_finished_or_has_not_begun(plan, undisturbed, played_back, work, tmp_path, command):
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


def test_other_masses_under_the_same_name_are_refused(played_back, tmp_path, command):
    """The sweep's text is the same: what the name stands for has changed."""
    table, text, target = tmp_path / "mine.csv", tmp_path / "s.toml", tmp_path / "x.nc"
    text.write_text(SWEEP.replace('"DZ31"', '"mine"') + "[masses.tables]\nmine = 'mine.csv'\n")
    table.write_text("Z,N,mass_excess\n26,30,-60.6\n")
    with pytest.raises(KeyboardInterrupt):
        run_to_file(make_plan(load_sweep(text), tmp_path), target, save_every=8, progress=stop_after(8))
    table.write_text("Z,N,mass_excess\n26,30,-60.5\n")
    status, _, err = command("run", text, "-o", target, "--resume")
    assert status == 2
    assert "the nuclear masses differ" in err


def test_another_version_is_refused(half, plan, monkeypatch):
    monkeypatch.setattr("gpucrust.sweep.provenance.__version__", "99.0")
    with pytest.raises(StoreError, match=r"it is of gpucrust 0\.\S+, and this is 99\.0"):
        run_to_file(plan, half, resume=True)


def test_without_resume_a_store_is_neither_used_nor_lost(half, plan, undisturbed):
    with pytest.raises(SweepError, match="holds 3 of 8 chunks of this sweep: go on with --resume, or start afresh"):
        run_to_file(plan, half)
    assert len(Store(PartialFolder(half).store).pending()) == 5
    run_to_file(plan, half, overwrite=True)
    assert_same(load(half), undisturbed)


def test_a_result_of_another_sweep_is_not_resumed(plan, undisturbed, played_back, work, tmp_path, command):
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
def test_overwriting_replaces_when_the_new_is_whole(plan, undisturbed, played_back, tmp_path, suffix):
    target = tmp_path / f"x{suffix}"
    run_to_file(plan, target)
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, overwrite=True, save_every=8, progress=stop_after(24))
    assert_same(load(target), undisturbed)
    run_to_file(plan, target, resume=True, overwrite=True)
    assert_same(load(target), undisturbed)
    assert [p.name for p in tmp_path.iterdir()] == [target.name]
