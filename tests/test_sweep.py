"""Plans: which evolutions a sweep needs, and what it costs."""

import numpy as np
import pytest

from gpucrust import sweep as sweep_module
from gpucrust.config import SweepError, check_sweep
from gpucrust.sweep import check_memory, make_plan, on_device, recorded_pressures


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


def test_what_cannot_fit_is_refused_before_it_is_tried(monkeypatch):
    plan = plan_of({"g": {"start": 1e14, "stop": 2e14, "num": 100}})
    monkeypatch.setattr(sweep_module, "free_memory", lambda: plan.memory // 3)
    with pytest.raises(SweepError, match=r"raise stepper.dlnP from 0.01 to 0.03\d*, or run it in \d parts"):
        check_memory(plan)
    with pytest.raises(SweepError, match="1e\\+18 members"):
        plan_of({name: {"start": 1, "stop": 2, "num": 1_000_000} for name in ("g", "mdot", "pycno_log10_scale")})


def test_a_device_that_is_not_there_is_one_line():
    import jax

    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(SweepError, match="no GPU") as error:
        on_device("gpu")
    assert "\n" not in str(error.value)
