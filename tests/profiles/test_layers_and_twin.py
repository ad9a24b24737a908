"""Layers of many crusts at once: what the definitions give for each, and no crust's depend on its neighbours'."""

import jax
import numpy as np
import pytest

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.ensemble import evolve
from gpucrust.physics import eos
from gpucrust.physics.diffusion import nodiff_slope
from gpucrust.physics.slopes import frozen_slope
from gpucrust.profiles.equilibrium import analyse
from gpucrust.profiles.reduced import take
from gpucrust.profiles.reduction import evolutions_at, reduce_evolutions
from gpucrust.schema import LayerColumns, ProfileColumns, Regime, SummaryColumns, columns_of
from gpucrust.status import Status
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.plan import make_plan
from twins import layers as plain_layers

SWEEP = {
    "axes": {"mass_model": ["FRDM95+DZ31", "HFB21+DZ31", "DZ31"], "ash": ["iron", "mixture", "edge"], "sample": 24},
    "ash": {"iron": {"Fe56": 1.0}, "mixture": {"Zn64": 0.4, "Pd106": 0.6}, "edge": {"Nd150": 1.0}},
    "physics": {"policy": "unmixed"},
    "perturbation": {"sigma": 0.5},
    "stepper": {"step": 0.02, "dlnP": 0.02},
}


@pytest.fixture(scope="module")
def plan():
    return make_plan(check_sweep(SWEEP))


@pytest.fixture(scope="module")
def evolution(plan):
    """216 crusts, of which those of the ash `edge` fail."""
    everyone = plan.evolutions
    result = evolve(everyone, plan.problem)
    np.testing.assert_array_equal(result.status == Status.CHART_EDGE, everyone.ash == 2)
    assert np.all(result.status[everyone.ash < 2] <= Status.SWITCHED_TO_MIXED)
    return result


def test_layers_and_ratios_are_those_of_the_plain_code(plan, evolution):
    found, P, p = analyse(plan, evolution), plan.pressures, evolution.profiles
    mixture = eos.Mixture(p["Y_e"], p["Y_n"], p["Y_z53"])
    mu_e = np.asarray(jax.jit(eos.electron_chemical_potential)(p["n_b"] * p["Y_e"]))
    nodiff = np.asarray(nodiff_slope(1 - p["Y_n"], p["Y_e"], p["n_b"])) / DYN_PER_CM2
    frozen = np.asarray(frozen_slope(p["n_b"], mixture, eos.Matter())) / DYN_PER_CM2
    jumps = 0
    for i in np.flatnonzero(evolution.status <= Status.SWITCHED_TO_MIXED):
        pieces = plain_layers.pieces_of_slides(P, mu_e[i], evolution.segments[i])
        # mu_e differs by its rounding, over intervals as short as 1e-7 in ln P
        expected = plain_layers.ratio_profile(pieces, P, nodiff[i], frozen[i] / nodiff[i])
        np.testing.assert_allclose(found.ratio[i], expected, rtol=0, atol=1e-7)
        kind, start, end = (np.array(x) for x in plain_layers.layers(pieces, P, nodiff[i]))
        regime = kind[np.maximum(np.searchsorted(start, P, side="right") - 1, 0)]
        np.testing.assert_array_equal(found.regime[i], regime)
        broken, own = kind != Regime.EQUILIBRIUM, found.layers[found.layers.crust == i]
        np.testing.assert_array_equal(own.regime, kind[broken])
        np.testing.assert_allclose([own.P_start, own.P_end], [start[broken], end[broken]], rtol=1e-10)
        jumps += np.sum(own.P_start == own.P_end)
    assert len(found.layers.crust) > 400
    assert jumps > 10


def test_a_crust_reduced_does_not_depend_on_its_neighbours(plan, evolution):
    reduced, n = reduce_evolutions(plan, evolution), len(evolution.status)
    order = np.random.default_rng(0).permutation(n)
    for rows in (order, order[:7], np.flatnonzero(evolution.status == Status.CHART_EDGE)):
        own, expected = reduce_evolutions(plan, evolutions_at(evolution, rows)), take(reduced, rows)
        for name in ("status", "summary", "layer_count", "layers", "profiles"):
            np.testing.assert_array_equal(getattr(own, name), getattr(expected, name), err_msg=name)


def test_a_crust_that_failed_has_no_layers(plan, evolution):
    reduced = reduce_evolutions(plan, evolution)
    failed = evolution.status == Status.CHART_EDGE
    assert np.all(reduced.layer_count[failed] == 0)
    assert np.all(reduced.layer_count[~failed] > 0)
    np.testing.assert_array_equal(np.isnan(columns_of(SummaryColumns, reduced.summary).total_heat), failed)


def test_thickness_and_flux_of_a_layer_are_those_of_its_profiles(plan, evolution):
    reduced, ln_P = reduce_evolutions(plan, evolution), np.log(plan.pressures)
    crust = np.repeat(np.arange(len(reduced)), reduced.layer_count)
    profiles, layers = columns_of(ProfileColumns, reduced.profiles), columns_of(LayerColumns, reduced.layers)
    depth, flux = profiles.depth_times_g, profiles.J_n_over_g
    assert len(crust) > 400
    for i, row in zip(crust, reduced.layers, strict=True):
        layer = LayerColumns(*row)
        at = np.interp(np.log([layer.P_start, layer.P_end]), ln_P, depth[i])
        np.testing.assert_allclose(layer.thickness_times_g, at[1] - at[0], rtol=1e-9, atol=0)
        inside = (plan.pressures >= layer.P_start) & (plan.pressures <= layer.P_end)
        assert layer.J_n_over_g == np.abs(flux[i][inside]).max(initial=0.0)
        by_depth = np.gradient(depth[i])[inside]
        mean = flux[i][inside] @ by_depth / max(by_depth.sum(), 1e-300)
        assert layer.mean_J_n_over_g == pytest.approx(mean, rel=1e-12)
    assert np.sum(layers.J_n_over_g > 0) > 300
