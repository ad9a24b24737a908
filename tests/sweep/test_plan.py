"""Plans: which evolutions a sweep needs, and what it costs."""

import re
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest

from gpucrust.engine import batch as crews
from gpucrust.engine.inputs import Stepper
from gpucrust.jobs import costs
from gpucrust.jobs.costs import check_dataset, check_disk, check_memory, working_memory
from gpucrust.jobs.in_memory import on_device
from gpucrust.sweep.config import SweepError, check_sweep
from gpucrust.sweep.plan import BLOCK_BYTES, STREAM, Chunks, blocks, make_chunks, make_plan, recorded_pressures

SUMMARIES = {"output": {"profiles": False}}


def plan_of(axes, **sections):
    return make_plan(check_sweep({"axes": {"mass_model": ["DZ31"], **axes}, **sections}))


@pytest.mark.parametrize("dlnP", [0.01, 0.02, 0.3])
def test_recorded_pressures_have_exact_ends_and_steps_within_bounds(dlnP):
    P = recorded_pressures(1e27, 3e31, dlnP)
    assert (P[0], P[-1]) == (1e27, 3e31)
    steps = np.diff(np.log(P))
    assert np.all(steps > 0)
    assert steps.max() <= dlnP * (1 + 1e-9)
    assert len(P) - 2 < np.log(3e4) / dlnP


def test_members_with_one_product_of_g_and_mdot_share_an_evolution():
    plan = plan_of({"g": [1e14, 2e14, 4e14], "mdot": [1e3, 2e3, 4e3]})
    assert plan.n_members == 9
    assert plan.n_evolutions == 5
    product = np.multiply.outer([1e14, 2e14, 4e14], [1e3, 2e3, 4e3])
    np.testing.assert_allclose(plan.evolutions.g_mdot[plan.evolution_of.reshape(3, 3)], product, rtol=1e-12)


def test_without_fusion_neither_its_scale_nor_g_nor_mdot_matters():
    axes = {"g": [1e14, 2e14], "mdot": [1e3, 3e4], "pycno_log10_scale": [-1.0, 1.0], "sample": 3}
    plan = plan_of(axes, physics={"pycno": False})
    assert plan.n_members == 24
    assert plan.n_evolutions == 3
    np.testing.assert_array_equal(np.unique(plan.evolutions.sample), [0, 1, 2])


def test_every_member_finds_its_own_evolution():
    plan = make_plan(
        check_sweep(
            {
                "axes": {
                    "mass_model": ["DZ31", "HFB21+DZ31"],
                    "ash": ["a", "b"],
                    "pycno_log10_scale": [0.0, 2.0],
                    "sample": 2,
                },
                "ash": {"a": {"Fe56": 1.0}, "b": {"Ni62": 1.0}},
            }
        )
    )
    indices = np.indices(plan.evolution_of.shape)
    e = plan.evolutions
    for values, axis in ((e.model, 0), (e.ash, 1), (e.sample, 3)):
        np.testing.assert_array_equal(values[plan.evolution_of], indices[axis])
    np.testing.assert_array_equal(e.pycno_log10_scale[plan.evolution_of], indices[2] * 2.0)


def test_a_plan_of_many_members_holds_no_list_of_them():
    plan = plan_of({"g": {"start": 1e14, "stop": 2e14, "num": 1000}, "mdot": [1e3, 1e4], "sample": 1_000_000})
    assert plan.n_members == 2_000_000_000
    assert plan.n_evolutions == 2_000_000_000 - 1_000_000 * (2000 - len(plan.products))
    last = plan.members(np.array([plan.n_evolutions - 1]))
    assert (last.sample[0], last.g_mdot[0]) == (999_999, 2e14 * 1e4)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 24, 30, 119, 120, 1000])
def test_blocks_make_up_the_whole_in_order(most):
    shape = (2, 3, 1, 4, 5)
    numbers = np.arange(120).reshape(shape)
    parts = [numbers[block].ravel() for block in blocks(shape, most)]
    np.testing.assert_array_equal(np.concatenate(parts), numbers.ravel())
    assert max(len(part) for part in parts) == len(parts[0]) <= most


@pytest.mark.parametrize("save_every", [None, 1, 9, 64, 1000, 10**30])
def test_chunks_make_up_all_evolutions(save_every):
    plan = plan_of({"sample": 700})
    chunks = make_chunks(plan, save_every)
    np.testing.assert_array_equal(np.concatenate([chunks[k] for k in range(len(chunks))]), np.arange(700))
    assert chunks.size >= min(save_every or 8, 700)
    assert chunks.size.bit_count() == 1
    with pytest.raises(IndexError):
        chunks[len(chunks)]


def test_what_cannot_fit_is_refused_with_what_would(monkeypatch, tmp_path):
    plan = plan_of({"sample": 10_000})
    chunks = make_chunks(plan, 8192)
    fits = Chunks(10_000, 1024)
    monkeypatch.setattr(costs, "free_memory", lambda: working_memory(plan, fits) + 1)
    with pytest.raises(SweepError, match="--save-every 1024 would fit"):
        check_memory(plan, chunks)
    check_memory(plan, fits)
    with pytest.raises(SweepError, match="in each of 2 processes"):
        check_memory(plan, fits, processes=2)
    with pytest.raises(SweepError, match=r"output\.profiles = false, or write it to a file"):
        check_dataset(plan)
    monkeypatch.setattr(costs, "free_disk", lambda _: 10**8)
    with pytest.raises(SweepError, match=r"of disk and 95\.4 MiB are free: --set output\.profiles=false would fit"):
        check_disk(plan, fits, tmp_path)
    monkeypatch.setattr(costs, "free_disk", lambda _: 10**6)
    with pytest.raises(SweepError, match=r"--set output\.profiles=false and about \d+ members would fit"):
        check_disk(plan, fits, tmp_path)
    monkeypatch.setattr(costs, "free_memory", lambda: 10**6)
    with pytest.raises(SweepError, match=r"no setting would fit, programs alone take 1\.27 GiB"):
        check_memory(plan, fits)


@pytest.mark.parametrize("share", [0.9, 0.7, 0.5, 0.3, 0.1, 0.02, 0.001])
@pytest.mark.parametrize("stepper", [{}, {"dlnP": 1e-4}, {"batch": 4096, "dlnP": 1e-3}])
def test_settings_said_to_fit_do(monkeypatch, tmp_path, share, stepper):
    """Whatever part of the need is there; memory beyond what programs take."""
    output = {"composition": True, "ground_state": False}
    plan = plan_of({"sample": 3000}, stepper=stepper, output=output)
    chunks = make_chunks(plan, 4096)

    def offered(check, *where):
        with pytest.raises(SweepError, match="would fit") as error:
            check(plan, chunks, *where)
        return str(error.value).split(": ")[-1].removesuffix(" would fit")

    def as_offered(words):
        save_every = re.search(r"--save-every (\d+)", words)
        data = {"axes": {"mass_model": ["DZ31"], "sample": 3000}, "stepper": dict(stepper), "output": dict(output)}
        for section, key, value in re.findall(r"--set (\w+)\.(\w+)=(\S+)", words):
            data[section][key] = tomllib.loads(f"x = {value}")["x"]
        members = re.search(r"about (\d+) members", words)
        if members:
            data["axes"]["sample"] = max(1, int(members[1]))
        changed = make_plan(check_sweep(data))
        return changed, make_chunks(changed, int(save_every[1]) if save_every else 4096)

    there = int(costs.PROGRAM + share * (working_memory(plan, chunks) - costs.PROGRAM))
    monkeypatch.setattr(costs, "free_memory", lambda: there)
    if "no setting" not in offered(check_memory):
        check_memory(*as_offered(offered(check_memory)))
    monkeypatch.setattr(costs, "free_memory", lambda: 2**60)
    monkeypatch.setattr(costs, "free_disk", lambda _: int(share * costs.disk(plan, chunks)))
    check_disk(*as_offered(offered(check_disk, tmp_path)), tmp_path)


def test_fewer_lanes_are_the_remedy_where_lanes_need_the_memory(monkeypatch):
    """Summaries of a chunk are nothing beside the profiles of the lanes."""
    plan = plan_of({"sample": 10_000}, **SUMMARIES)
    chunks, fewer = make_chunks(plan), costs.crews_and_lanes_of(plan, 10_000)[1] // 2
    needed = working_memory(plan_of({"sample": 10_000}, stepper={"batch": fewer}, **SUMMARIES), chunks)
    assert needed < working_memory(plan, chunks)
    monkeypatch.setattr(costs, "free_memory", lambda: needed + 1)
    with pytest.raises(SweepError, match=f"--set stepper.batch={fewer} would fit"):
        check_memory(plan, chunks)


def test_memory_of_summaries_goes_with_lanes_not_with_members(monkeypatch):
    """100,000 members fit in 16 GiB, on a CPU and beside a GPU; more need no more than is taken in or out at a time."""
    many, more = (plan_of({"sample": n}, **SUMMARIES) for n in (100_000, 1_000_000))
    at_a_time = costs.COPIES * BLOCK_BYTES + 2 * costs.WAITING * STREAM
    for n_crews, lanes, on_cpu in ((16, 256, True), (1, 65536, False)):
        monkeypatch.setattr(costs, "crews_and_lanes", lambda *_, n=n_crews, lanes=lanes: (n, lanes))
        monkeypatch.setattr(costs, "on_cpu", lambda on_cpu=on_cpu: on_cpu)
        assert working_memory(many, make_chunks(many)) < 16 * 2**30
        assert working_memory(more, make_chunks(more)) < working_memory(many, make_chunks(many)) + at_a_time


@pytest.mark.parametrize("free", [1 << 33, 1 << 40, None])
def test_lanes_fit_the_memory_of_a_gpu(free, monkeypatch):
    """As many as do, or as are worth it; a device may not tell what it has."""
    gpu = SimpleNamespace(platform="gpu", memory_stats=lambda: free and {"bytes_limit": free})
    monkeypatch.setattr(crews.jax, "local_devices", lambda: [gpu])
    monkeypatch.setattr(crews, "on_cpu", lambda: False)
    size = crews.lane_bytes(1032, Stepper())
    n_crews, lanes = crews.crews_and_lanes(10**6, None, size)
    assert n_crews == 1
    assert lanes & (lanes - 1) == 0
    if free == 1 << 33:
        assert lanes * size < free < 4 * lanes * size
    else:
        assert lanes == crews.MAX_LANES["gpu"] >= 50_000


def test_more_members_than_can_be_counted():
    with pytest.raises(SweepError, match=r"1e\+18 members and 1e\+12 pairs"):
        plan_of({name: {"start": 1, "stop": 2, "num": 1_000_000} for name in ("g", "mdot", "pycno_log10_scale")})


def test_a_device_that_is_not_there_is_one_line():
    import jax

    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(SweepError, match="no GPU") as error:
        on_device("gpu")
    assert "\n" not in str(error.value)
