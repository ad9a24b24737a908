"""What a sweep costs, and what is offered where that is too much."""

import re
import tomllib

import pytest

from gpucrust.jobs import costs
from gpucrust.jobs.costs import check_dataset, check_disk, check_memory, working_memory
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import BLOCK_BYTES, STREAM, make_plan, make_portions
from gpucrust.sweep.portions import Portions

SUMMARIES = {"output": {"profiles": False}}


def plan_of(axes, **sections):
    return make_plan(check_sweep({"axes": {"mass_model": ["DZ31"], **axes}, **sections}))


def test_what_cannot_fit_is_refused_with_what_would(monkeypatch, tmp_path):
    plan = plan_of({"sample": 10_000})
    portions = make_portions(plan, 8192)
    fits = Portions(10_000, 1024)
    monkeypatch.setattr(costs, "free_memory", lambda: working_memory(plan, fits) + 1)
    with pytest.raises(SweepError, match="--save-every 1024 would fit"):
        check_memory(plan, portions)
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
    portions = make_portions(plan, 4096)

    def offered(check, *where):
        with pytest.raises(SweepError, match="would fit") as error:
            check(plan, portions, *where)
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
        return changed, make_portions(changed, int(save_every[1]) if save_every else 4096)

    there = int(costs.PROGRAM + share * (working_memory(plan, portions) - costs.PROGRAM))
    monkeypatch.setattr(costs, "free_memory", lambda: there)
    if "no setting" not in offered(check_memory):
        check_memory(*as_offered(offered(check_memory)))
    monkeypatch.setattr(costs, "free_memory", lambda: 2**60)
    monkeypatch.setattr(costs, "free_disk", lambda _: int(share * costs.disk(plan, portions)))
    check_disk(*as_offered(offered(check_disk, tmp_path)), tmp_path)


def test_fewer_lanes_are_the_remedy_where_lanes_need_the_memory(monkeypatch):
    """Summaries of a chunk are nothing beside the profiles of the lanes."""
    plan = plan_of({"sample": 10_000}, **SUMMARIES)
    portions, fewer = make_portions(plan), costs.batches_and_lanes_of(plan, 10_000)[1] // 2
    needed = working_memory(plan_of({"sample": 10_000}, stepper={"batch": fewer}, **SUMMARIES), portions)
    assert needed < working_memory(plan, portions)
    monkeypatch.setattr(costs, "free_memory", lambda: needed + 1)
    with pytest.raises(SweepError, match=f"--set stepper.batch={fewer} would fit"):
        check_memory(plan, portions)


def test_memory_of_summaries_goes_with_lanes_not_with_members(monkeypatch):
    """100,000 members fit in 16 GiB, on a CPU and beside a GPU; more need no more than is taken in or out at a time."""
    many, more = (plan_of({"sample": n}, **SUMMARIES) for n in (100_000, 1_000_000))
    at_a_time = costs.BLOCK_COPIES * BLOCK_BYTES + 2 * costs.WAITING_EVOLUTION * STREAM
    for n_batches, lanes, on_cpu in ((16, 256, True), (1, 65536, False)):
        monkeypatch.setattr(costs, "batches_and_lanes", lambda *_, n=n_batches, lanes=lanes: (n, lanes))
        monkeypatch.setattr(costs, "on_cpu", lambda on_cpu=on_cpu: on_cpu)
        assert working_memory(many, make_portions(many)) < 16 * 2**30
        assert working_memory(more, make_portions(more)) < working_memory(many, make_portions(many)) + at_a_time
