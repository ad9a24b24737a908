"""What the dataset says of diffusion equilibrium: identities between its variables, then CS20's size of the flux."""

import numpy as np
import pytest

import gpucrust
from ensembles import ASHES, G_MDOT
from gpucrust.constants import ATOMIC_MASS_UNIT_GRAM, DYN_PER_CM2, RHO_PER_N_B
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.engine.interface import SegmentRow
from gpucrust.masses import load_model
from gpucrust.physics import eos, ground_state
from gpucrust.physics.slopes import nodiff_slope
from gpucrust.profiles.curves import join_pieces
from gpucrust.profiles.layers import find_layers, ratios_along
from gpucrust.schema import Regime
from gpucrust.sweep.config import load_sweep
from paths import ROOT
from twins import reference

G = [1e14, 2e14]
MDOT = [6e4, 3e4]  # pairs of one product: (1e14, 6e4) and (2e14, 3e4)


@pytest.fixture(scope="module")
def ds():
    return gpucrust.run(
        {
            "axes": {"mass_model": ["FRDM95+DZ31", "DZ31"], "g": G, "mdot": sorted(MDOT)},
            "physics": {"policy": "mixed"},
            "stepper": {"chunk": 0.005, "dlnP": 0.02},
        }
    )


def test_residuals_of_eqs_8_and_9_are_R_minus_1_and_balance(ds):
    np.testing.assert_allclose(ds.residual_ei, ds.equilibrium_ratio - 1, rtol=0, atol=1e-9)
    balance = (1 - ds.X_n) * ds.residual_ei + ds.X_n * ds.residual_n
    np.testing.assert_allclose(balance.where(ds.X_n > 0, 0), 0, atol=1e-9)


def test_pressures_add_up(ds):
    total = (ds.P_e + ds.P_n).transpose(..., "pressure")
    np.testing.assert_allclose(total, np.broadcast_to(ds.pressure, total.shape), rtol=1e-11)


def test_outer_crust_is_in_equilibrium(ds):
    outer = ds.where(ds.X_n == 0)
    np.testing.assert_allclose(outer.equilibrium_ratio.where(outer.X_n == 0, 1.0), 1.0, rtol=1e-9)
    assert np.all(ds.J_n.where(ds.X_n == 0, 0.0) == 0)
    assert float(ds.layer_P_start.min()) > 1e30


def test_outer_crust_is_in_equilibrium_with_the_lattice():
    """And where neutrons are free dP_n/dP, by differences of P_n, is that of R."""
    ds = gpucrust.run(
        {
            "axes": {"mass_model": ["FRDM95+DZ31", "DZ31"]},
            "physics": {"policy": "mixed", "lattice": True},
            "output": {"ground_state": False},
        }
    ).squeeze()
    outer = ds.X_n == 0
    assert outer.sum() > 1000
    np.testing.assert_allclose(ds.equilibrium_ratio.where(outer, 1), 1, rtol=1e-9)
    for name in ("residual_ei", "residual_n", "J_n"):
        np.testing.assert_allclose(ds[name].where(outer, 0), 0, rtol=0, atol=1e-9)
    assert float(ds.layer_P_start.min()) > 1e30


def test_composition_and_R_depend_on_the_product_of_g_and_mdot(ds):
    for name in ("mu_e", "Z_mean", "equilibrium_ratio", "regime"):
        np.testing.assert_array_equal(ds[name].sel(g=1e14, mdot=6e4), ds[name].sel(g=2e14, mdot=3e4), err_msg=name)


def test_friction_and_flux_follow_from_R(ds):
    R, A = ds.equilibrium_ratio, ds.A_mean
    np.testing.assert_allclose(
        ds.f_in, (A * ATOMIC_MASS_UNIT_GRAM * ds.g * (1 - R)).transpose(*ds.f_in.dims), rtol=1e-12
    )
    sign = np.sign(ds.J_n.where(ds.X_n > 1e-6, 0.0))
    np.testing.assert_array_equal(sign, np.sign((1 - R).where(ds.X_n > 1e-6, 0.0)).transpose(*sign.dims))
    # at one composition J_n is proportional to g
    ratio = (ds.J_n.sel(g=2e14, mdot=3e4) / ds.J_n.sel(g=1e14, mdot=6e4)).values
    np.testing.assert_allclose(ratio[np.isfinite(ratio)], 2.0, rtol=1e-12)
    np.testing.assert_allclose(ds.J_ratio, (ds.J_n / ds.J_acc).transpose(*ds.J_ratio.dims), rtol=1e-12)


def test_depths(ds):
    np.testing.assert_allclose(ds.column_depth, (ds.pressure / ds.g).transpose(*ds.column_depth.dims), rtol=1e-14)
    assert np.all(ds.depth.diff("pressure") > 0)


def test_layers_are_a_ragged_array_that_adds_up(ds):
    assert int(ds.layer_count.sum()) == ds.sizes["layer"]
    np.testing.assert_array_equal(np.repeat(np.arange(ds.sizes["member"]), ds.layer_count), ds.layer_member)
    total = np.bincount(ds.layer_member, weights=ds.layer_thickness, minlength=ds.sizes["member"])
    np.testing.assert_allclose(total, ds.broken_thickness.values.ravel(), rtol=1e-12)
    assert np.all(ds.layer_thickness >= 1.0)
    assert np.all(ds.layer_P_end > ds.layer_P_start)


def test_layers_thinner_than_the_cut_are_left_out_at_each_gravity():
    sweep = {"axes": {"mass_model": ["FRDM95+DZ31"], "g": G, "mdot": sorted(MDOT)}, "stepper": {"P_start": 1e30}}
    whole = gpucrust.run(sweep | {"output": {"layer_cut": 0.0, "profiles": False}})
    jumps, thickness = (whole.layer_P_start == whole.layer_P_end).values, whole.layer_thickness.values
    same = [thickness[whole.layer_member == member] for member in (1, 2)]  # of one g mdot, at G[0] and G[1]
    np.testing.assert_allclose(same[0], 2 * same[1], rtol=1e-12)
    for cut in (1.0, 8.0):
        ds = gpucrust.run(sweep | {"output": {"layer_cut": cut, "profiles": False}})
        kept = (thickness >= cut) | jumps
        assert 0 < kept.sum() < len(kept)
        for name in ("layer_member", "layer_regime", "layer_P_start", "layer_thickness", "layer_J_n"):
            np.testing.assert_array_equal(ds[name], whole[name][kept], err_msg=name)
        total = np.bincount(ds.layer_member, weights=ds.layer_thickness, minlength=4)
        np.testing.assert_allclose(ds.broken_thickness.values.ravel(), total, rtol=1e-12)


def test_regime_agrees_with_layers(ds):
    """A recorded pressure inside a layer has the layer's regime."""
    by_member = ds.regime.values.reshape(ds.sizes["member"], -1)
    P = ds.pressure.values
    for layer in range(ds.sizes["layer"]):
        row = ds.isel(layer=layer)
        inside = (P >= float(row.layer_P_start)) & (P < float(row.layer_P_end))
        assert np.all(by_member[int(row.layer_member), inside] == int(row.layer_regime))


def test_the_flux_is_of_the_order_of_eddingtons(ds):
    """CS20's claim: in decreasing layers of these models the flux is as large as 6.02e28 cm^-2 s^-1, within a few."""
    at = ds.sel(g=2e14, mdot=3e4)
    for model in ds.mass_model.values:
        own = at.sel(mass_model=model)
        J_n = own.J_n.where(own.regime == Regime.DECREASING)
        assert 0.1 < float(J_n.max()) / 6.02e28 < 3
        assert float(J_n.min()) > 0


def test_the_upper_panel_of_figure_1():
    """The liquid drop, many components, as the sweep has it: a scalar code of the same rules gives the same crust."""
    sweep = load_sweep(ROOT / "sweeps" / "figure1_liquid_drop.toml", ["optional_models=[]"]).model_dump()
    assert sweep["axes"]["mass_model"][0] == "MB-refit"
    sweep["axes"]["mass_model"] = ["MB-refit"]
    ds, model = gpucrust.run(sweep).squeeze(), load_model("MB-refit")
    P = ds.pressure.values
    scalar = reference.evolve(
        model.mixed, model.sources, ASHES["Fe56"], pressures=P, g_mdot=G_MDOT, chunk=0.002, policy="mixed"
    )
    np.testing.assert_allclose(ds.mu_e, scalar.mu_e, rtol=3e-3)
    np.testing.assert_allclose(ds.rho, scalar.n_b * RHO_PER_N_B, rtol=6e-3)
    np.testing.assert_allclose(ds.heat, scalar.heat, rtol=0, atol=0.01)
    # smooth masses break equilibrium as well: mu_e falls once magnesium fuses
    falls = ds.isel(layer=np.flatnonzero((ds.layer_regime == Regime.DECREASING) & (ds.layer_thickness > 5)))
    np.testing.assert_allclose(falls.layer_P_end, [7.91e30], rtol=0.01)
    assert {Regime.FLAT, Regime.STEEP} < set(ds.layer_regime.values)
    assert "gs_mu_e" in ds


@pytest.mark.parametrize("lattice", [0.0, 1.0])
@pytest.mark.parametrize("model", ["HFB21", "DZ31", "MB-refit"])
def test_the_ground_state_is_in_equilibrium_by_the_same_code(model, lattice):
    """mu_e(P) of the ground state, run through the slopes and layers of the accreted crust: R = 1 within layers."""
    masses, matter = load_model(model).mixed, eos.Matter(lattice=lattice)
    shells = ground_state.layers(masses, 1e28 / DYN_PER_CM2, 5e30 / DYN_PER_CM2, matter)
    checked = 0
    for start, end in zip(shells.P_start, shells.P_end, strict=True):
        if np.log(end / start) < 0.02:
            continue
        P = np.geomspace(start * 1.0001, end * 0.9999, 60)
        state = ground_state.ground_state(masses, P, matter)
        assert len(np.unique(state.Z)) == 1
        nuclei = (1 - state.X_n) / state.A
        mixture = eos.Mixture(state.Z * nuclei, state.X_n, state.Z ** (5 / 3) * nuclei)
        nodiff = np.asarray(nodiff_slope(state.n_b, mixture, matter))
        np.testing.assert_allclose(nodiff, state.dmu_e_dP_nodiff, rtol=1e-13)
        pressures = P * DYN_PER_CM2
        pieces = join_pieces([(0, pressures, np.asarray(state.mu_e), True)])
        ratios = ratios_along(pieces, pressures, nodiff[None] / DYN_PER_CM2)
        # free neutrons appear with a kink in the middle of a layer
        same_crust = np.diff(np.asarray(state.X_n) > 0) == 0
        np.testing.assert_allclose(ratios.R[1:-1][same_crust], 1.0, rtol=2e-4)
        layers = find_layers(pieces, ratios, pressures)
        np.testing.assert_array_equal(layers.regime, [Regime.EQUILIBRIUM])
        checked += 1
    assert checked > 5


@pytest.mark.parametrize("lattice", [False, True])
def test_lattice_moves_the_first_threshold_by_the_closed_form(lattice):
    """The first electron capture of 56Fe happens where mu_e = E(56Mn) - E(56Fe) + what the lattice adds."""
    model = load_model("DZ31")
    one = Members(*(np.zeros(1, int) for _ in range(2)), np.zeros(1), np.zeros(1, int), np.ones(1))
    physics = Physics(pycno=False, lattice=lattice)
    result = evolve(
        one,
        Problem(
            [model], [{(26, 30): 1.0}], np.geomspace(3e26, 2e27, 20), physics, Stepper(chunk=0.002, engine="chunk")
        ),
    )
    found = result.segments[0, 0, SegmentRow._fields.index("mu_e_start")]
    threshold = model.mixed[25, 31] - model.mixed[26, 30]
    K = 1.444231 * 197.3269804 / 137.035999084
    shift = 0.0
    for _ in range(50):  # the shift depends on n_e at the threshold
        n_e = float(eos.electron_density(threshold + shift))
        shift = lattice * K * n_e ** (1 / 3) * (26 ** (5 / 3) - 25 ** (5 / 3) + 26 ** (2 / 3) / 3)
    assert (shift > 0.2) == lattice
    np.testing.assert_allclose(found, threshold + shift, rtol=0, atol=5e-5)
