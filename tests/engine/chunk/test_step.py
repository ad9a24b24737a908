"""Laws of the chunk engine: conservation, Gibbs energy, independence of the batch, convergence, failures as values."""

from functools import partial

import jax
import numpy as np
import pytest

from ensembles import ASHES, G_MDOT, members, take
from gpucrust.constants import DYN_PER_CM2, NEUTRON_EXCESS
from gpucrust.engine import evolution as evolution_module
from gpucrust.engine import inputs, lanes
from gpucrust.engine.chunk import bookkeeping
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.inputs import Physics, Problem
from gpucrust.engine.interface import TraceRow
from gpucrust.masses import load_model
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNELS
from gpucrust.status import Status

MODELS = ("FRDM95+DZ31", "HFB21+DZ31", "DZ31")
TRACE = 50_000
Stepper = partial(inputs.Stepper, engine="chunk")


@pytest.fixture(scope="module")
def models():
    return [load_model(name) for name in MODELS]


@pytest.fixture(scope="module")
def pressures():
    return np.geomspace(1e27, 3e31, 300)


@pytest.fixture(scope="module")
def crusts(models, pressures):
    """All models and ashes, with compositions and every reaction."""
    stepper = Stepper(chunk=0.002, composition=True, trace=TRACE)
    return evolve(members(3, 3), Problem(models, list(ASHES.values()), pressures, Physics(), stepper))


def gibbs_energy(P, Y_e, Y_n, nuclear):
    """Gibbs energy per baryon less m_u, MeV, at P in MeV fm^-3; nuclear = sum Y_i E_i. All arrays of one shape."""
    matter = eos.Matter()
    mixture = eos.Mixture(Y_e, Y_n, np.zeros_like(Y_e))
    n_b = eos.density_at_pressure(P, mixture, matter, eos.cold_density_guess(P, Y_e), 20)
    energy = eos.electron_energy_density(n_b * Y_e) + eos.neutron_energy_density(n_b * Y_n, matter)
    return np.asarray((energy + P) / n_b + NEUTRON_EXCESS * Y_n + nuclear)


def replay(trace, ash, masses):
    """Sums over the composition before and after every reaction of a trace: (reactions + 1,) Y_e, Y_n, sum Y E, A."""
    columns = dict(zip(TraceRow._fields, trace[trace[:, 4] > 0].T, strict=True))
    code, second = columns["nuclide"].astype(int), columns["second_nuclide"].astype(int)
    channel, k, d = columns["channel"].astype(int), columns["k"], columns["amount"]
    fusion = channel == CHANNELS
    dZ = np.where(fusion, second // 161, CHANNEL_DZ[np.minimum(channel, CHANNELS - 1)])
    Z, N = code // 161, code % 161
    Zd = Z + dZ
    Nd = N + np.where(fusion, second % 161, 0) - np.where(fusion, 0, dZ) - k.astype(int)
    dE = masses[Zd, Nd] - masses[Z, N] - np.where(fusion, masses[second // 161, second % 161], 0)
    Y = {nuclide: X / sum(nuclide) for nuclide, X in ash.items()}
    start = [sum(z * y for (z, _), y in Y.items()), 0.0, sum(masses[key] * y for key, y in Y.items())]
    changes = [np.where(fusion, 0, dZ) * d, k * d, dE * d]
    Y_e, Y_n, nuclear = (x0 + np.concatenate([[0], np.cumsum(dx)]) for x0, dx in zip(start, changes, strict=True))
    return columns, Y_e, Y_n, nuclear


def test_every_member_reaches_the_end(crusts):
    assert np.all(crusts.status == Status.OK)
    assert np.all(np.isfinite(crusts.profiles["n_b"]))
    assert np.all(crusts.n_reactions < TRACE)


def test_baryons_and_charge_are_conserved(crusts):
    Z, N = crusts.nuclides // 161, crusts.nuclides % 161
    Y = crusts.abundances
    p = crusts.profiles
    np.testing.assert_allclose(np.sum((Z + N) * Y, axis=-1) + p["Y_n"], 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.sum(Z * Y, axis=-1), p["Y_e"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.sum(Y, axis=-1), p["sum_Y"], rtol=0, atol=1e-12)
    assert np.all(p["Y_n"] >= 0)


def test_reactions_account_for_every_electron_and_neutron(crusts, models):
    for m in range(9):
        ash = list(ASHES.values())[m % 3]
        _, Y_e, Y_n, _ = replay(crusts.trace[m], ash, models[m // 3].mixed)
        np.testing.assert_allclose(Y_e[-1], crusts.profiles["Y_e"][m, -1], rtol=0, atol=1e-12)
        np.testing.assert_allclose(Y_n[-1], crusts.profiles["Y_n"][m, -1], rtol=0, atol=1e-12)


def test_gibbs_energy_never_rises_at_constant_pressure(crusts, models):
    for m in range(9):
        ash = list(ASHES.values())[m % 3]
        columns, Y_e, Y_n, nuclear = replay(crusts.trace[m], ash, models[m // 3].mixed)
        P = columns["P"]
        change = gibbs_energy(P, Y_e[1:], Y_n[1:], nuclear[1:]) - gibbs_energy(P, Y_e[:-1], Y_n[:-1], nuclear[:-1])
        # the bound is rounding: energies are tens of MeV; a reaction releases 1e-5 MeV times its amount or more
        assert np.all(change < 2e-13), (m, change.max())


def test_heat_is_the_gibbs_energy_released(crusts, models):
    for m in range(9):
        ash = list(ASHES.values())[m % 3]
        columns, Y_e, Y_n, nuclear = replay(crusts.trace[m], ash, models[m // 3].mixed)
        P = columns["P"]
        released = gibbs_energy(P, Y_e[:-1], Y_n[:-1], nuclear[:-1]) - gibbs_energy(P, Y_e[1:], Y_n[1:], nuclear[1:])
        np.testing.assert_allclose(crusts.profiles["heat"][m, -1], columns["heat"].sum(), rtol=1e-12)
        # fusions are counted at the mu_n before them: first order in the chunk
        np.testing.assert_allclose(columns["heat"].sum(), released.sum(), rtol=5e-3)


def test_pressure_never_falls_and_profiles_lie_on_the_grid(crusts, pressures):
    for m in range(9):
        P = crusts.trace[m, : crusts.n_reactions[m], TraceRow._fields.index("P")]
        assert np.all(np.diff(P) >= 0)
    p = crusts.profiles
    mixture = eos.Mixture(p["Y_e"], p["Y_n"], 0.0)
    P = eos.pressure(p["n_b"], mixture, eos.Matter()) * DYN_PER_CM2
    np.testing.assert_allclose(P, np.broadcast_to(pressures, P.shape), rtol=1e-12)


def test_results_do_not_depend_on_lane_order_batch_size_or_padding(models):
    pressures = np.geomspace(1e27, 3e30, 60)
    everyone = members(3, 3)
    stepper = Stepper(chunk=0.01)
    reference = evolve(everyone, Problem(models, list(ASHES.values()), pressures, Physics(), stepper), batch=16)
    order = np.random.default_rng(0).permutation(9)
    for other, batch in ((order, 16), (order, 3), (order[:1], 8), (order, 24)):
        result = evolve(
            take(everyone, other), Problem(models, list(ASHES.values()), pressures, Physics(), stepper), batch=batch
        )
        for name, values in result.profiles.items():
            np.testing.assert_array_equal(values, reference.profiles[name][other], err_msg=f"{name}, {batch} lanes")
        np.testing.assert_array_equal(result.n_steps, reference.n_steps[other])


def test_failures_are_values_and_disturb_no_neighbour(models):
    pressures = np.geomspace(1e27, 3e30, 60)
    alone = evolve(members(1, 1), Problem(models[:1], [ASHES["Fe56"]], pressures, Physics(), Stepper(chunk=0.01)))
    # a heavy ash at the edge of the tables, beside a good member
    ashes = [ASHES["Fe56"], {(60, 90): 1.0}]
    mixed = evolve(members(1, 2), Problem(models[:1], ashes, pressures, Physics(), Stepper(chunk=0.01)))
    assert list(mixed.status) == [Status.OK, Status.CHART_EDGE]
    for name, values in mixed.profiles.items():
        np.testing.assert_array_equal(values[0], alone.profiles[name][0])
        assert np.all(np.isnan(values[1]))

    few = evolve(
        members(1, 2), Problem(models[:1], [ASHES["Fe56"], ASHES["four"]], pressures, Physics(), Stepper(0.01, slots=4))
    )
    assert few.status[1] == Status.SLOT_OVERFLOW
    short = evolve(
        members(1, 1), Problem(models[:1], [ASHES["Fe56"]], pressures, Physics(), Stepper(0.01, max_steps=50))
    )
    assert list(short.status) == [Status.STEP_LIMIT]
    assert list(short.n_steps) == [50]


def test_more_segments_than_there_is_room_for_are_a_status(models, monkeypatch):
    for module in (bookkeeping, evolution_module, lanes):
        monkeypatch.setattr(module, "MAX_SEGMENTS", 3)
    pressures = np.geomspace(1e27, 6e29, 20)  # four electron captures of 56Fe and its daughters
    result = evolve(members(1, 1), Problem(models[:1], [ASHES["Fe56"]], pressures, Physics(), Stepper(0.01)))
    assert list(result.status) == [Status.SEGMENT_OVERFLOW]
    assert np.all(np.isnan(result.profiles["n_b"]))


def test_composition_depends_on_the_product_of_g_and_mdot_alone(models):
    """By construction of the members; and the product matters through fusion."""
    pressures = np.geomspace(1e27, 5e30, 80)
    slow_fast = members(1, 2, g_mdot=np.array([G_MDOT * 1e-4, G_MDOT]))
    with_fusion = evolve(slow_fast, Problem(models[:1], [ASHES["Fe56"]] * 2, pressures, Physics(), Stepper(0.01)))
    assert not np.array_equal(*with_fusion.profiles["Y_e"])
    without = evolve(
        slow_fast, Problem(models[:1], [ASHES["Fe56"]] * 2, pressures, Physics(pycno=False), Stepper(0.01))
    )
    np.testing.assert_array_equal(*without.profiles["Y_e"])


def test_chunks_converge(models, pressures):
    """In the inner crust, density, electrons and heat approach a limit as the chunk shrinks."""
    coarse, medium, fine = (
        evolve(members(2, 1), Problem(models[:2], [ASHES["Fe56"]], pressures, Physics(), Stepper(chunk))).profiles
        for chunk in (0.01, 0.002, 0.001)
    )
    inner = pressures > 1e30
    for name in ("n_b", "Y_e", "heat"):
        far, near = (
            np.mean(np.abs(profiles[name] / fine[name] - 1)[:, inner], axis=1) for profiles in (coarse, medium)
        )
        assert np.all(near < 0.4 * far), name
        assert np.all(near < 2e-3), name


def test_mass_errors_spare_measured_nuclides_and_sample_zero(models):
    """Perturbed members share the outer crust that is measured and part where theory begins."""
    pressures = np.geomspace(1e27, 3e30, 60)
    samples = members(1, 3, sample=np.arange(3))
    ash = [ASHES["Fe56"]] * 3
    result = evolve(samples, Problem(models[:1], ash, pressures, Physics(sigma=0.5, seed=7), Stepper(0.01)))
    plain = evolve(members(1, 1), Problem(models[:1], ash, pressures, Physics(), Stepper(0.01)))
    Y_e = result.profiles["Y_e"]
    np.testing.assert_array_equal(Y_e[0], plain.profiles["Y_e"][0])
    measured = pressures < 1e28  # 56Fe, 56Cr, 56Ti
    np.testing.assert_array_equal(Y_e[1, measured], Y_e[0, measured])
    assert not np.array_equal(Y_e[1], Y_e[0])
    assert not np.array_equal(Y_e[1], Y_e[2])
    other_seed = evolve(samples, Problem(models[:1], ash, pressures, Physics(sigma=0.5, seed=8), Stepper(0.01)))
    assert not np.array_equal(other_seed.profiles["Y_e"][1], Y_e[1])
    single = evolve(
        take(samples, np.array([2])), Problem(models[:1], ash, pressures, Physics(sigma=0.5, seed=7), Stepper(0.01))
    )
    np.testing.assert_array_equal(single.profiles["Y_e"][0], Y_e[2])


@pytest.mark.parametrize("policy", ["unmixed", "aligned"])
def test_other_policies_end_and_conserve(policy):
    charts = [load_model(name, policy=policy) for name in MODELS]
    pressures = np.geomspace(1e27, 3e31, 100)
    result = evolve(
        members(3, 1), Problem(charts, [ASHES["Fe56"]], pressures, Physics(), Stepper(0.01, composition=True))
    )
    assert np.all(result.status <= Status.SWITCHED_TO_MIXED)
    A = result.nuclides // 161 + result.nuclides % 161
    np.testing.assert_allclose(np.sum(A * result.abundances, axis=-1) + result.profiles["Y_n"], 1, rtol=0, atol=1e-12)
    assert np.all((result.mismatch > 3) == (result.status == Status.SWITCHED_TO_MIXED))


def test_single_precision_callers_are_served():
    """`evolve` switches float64 on for itself."""
    with jax.enable_x64(False):
        result = evolve(
            members(1, 1),
            Problem([load_model("DZ31")], [ASHES["Fe56"]], np.geomspace(1e27, 2e27, 3), Physics(), Stepper(0.01)),
        )
    assert result.profiles["n_b"].dtype == np.float64
