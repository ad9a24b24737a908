"""Plans: which evolutions a sweep needs, and what the engine is given."""

from dataclasses import fields
from typing import get_args

import numpy as np
import pytest

from gpucrust.engine.engines import ENGINES
from gpucrust.engine.inputs import Physics, Stepper
from gpucrust.sweep.config import PerturbationSection, PhysicsSection, StepperSection, check_sweep
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import make_plan, make_portions, recorded_pressures


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


def test_more_members_than_can_be_counted():
    with pytest.raises(SweepError, match=r"1e\+18 members and 1e\+12 pairs"):
        plan_of({name: {"start": 1, "stop": 2, "num": 1_000_000} for name in ("g", "mdot", "pycno_log10_scale")})


@pytest.mark.parametrize("save_every", [None, 1, 9, 64, 1000, 10**30])
def test_portions_are_powers_of_two_of_at_least_what_was_asked_for(save_every):
    plan = plan_of({"sample": 700})
    portions = make_portions(plan, save_every)
    assert portions.n == plan.n_evolutions
    assert portions.size >= min(save_every or 8, 700)
    assert portions.size.bit_count() == 1


def test_every_key_of_the_sections_reaches_the_engine():
    """But for those that say what is recorded, how many lanes there are, and by which masses."""
    physics, stepper = ({field.name for field in fields(kind)} for kind in (Physics, Stepper))
    assert {*PhysicsSection.model_fields, *PerturbationSection.model_fields} - physics == {"ame", "policy"}
    assert set(StepperSection.model_fields) - stepper == {"P_start", "P_end", "dlnP", "batch"}
    given = {
        "physics": {"pycno": True, "t_weak": 2.0, "lattice": True, "neutron_eos": "free-gas", "neutrino_fraction": 0.5},
        "perturbation": {"sigma": 0.25, "seed": 7},
        "stepper": {"engine": "chunk", "step": 0.02, "chunk": 0.01, "slots": 8, "max_steps": 9},
        "output": {"composition": True},
    }
    plan = plan_of({}, **given)
    for section, made in (("physics", plan.physics), ("perturbation", plan.physics), ("stepper", plan.stepper)):
        assert {key: getattr(made, key) for key in given[section]} == given[section]
    assert plan.stepper.composition
    one = {"one_component": True, "policy": "mixed", "fusion_density": {"Be": 1e9, "Si": 2e12}}
    assert plan_of({}, physics=one).physics.fusion_density == ((4, 1e9), (14, 2e12))


def test_engines_of_sweep_files_are_those_there_are():
    assert set(get_args(StepperSection.model_fields["engine"].annotation)) == set(ENGINES)
