"""Laws of the slide engine; then that it does what the plain code of `slide` does, which is the limit of chunks."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from ensembles import ASHES, G_MDOT, members, take
from gpucrust.constants import DYN_PER_CM2, NEUTRON_EXCESS
from gpucrust.engine import batch as batch_module
from gpucrust.engine import ensemble as ensemble_module
from gpucrust.engine import evolution as evolution_module
from gpucrust.engine import lanes
from gpucrust.engine.ensemble import evolve, evolve_each
from gpucrust.engine.evolution import recorded_steps
from gpucrust.engine.inputs import Physics, Problem, Stepper
from gpucrust.engine.slide import bookkeeping as account
from gpucrust.engine.slide.events import AFFINITY_PER_LN_P
from gpucrust.engine.slide.record import Move
from gpucrust.masses import load_model
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS, THRESHOLD
from gpucrust.physics.slopes import frozen_slope
from gpucrust.status import Status
from twins import reference, slide

MODELS = ("FRDM95+DZ31", "HFB21+DZ31", "HFB24+DZ31", "BSkG4+DZ31", "DZ31")
CRUSTS = range(15)
"""Every model with every ash."""
PRESSURES = np.geomspace(1e27, 3e31, 300)
RECORD = 4000
GOOD = Status.SWITCHED_TO_MIXED  # and better


def run(everyone=None, physics=None, policy="mixed", ashes=ASHES, **stepper):
    """All through one compiled program, or few: shapes and what is recorded are always the same."""
    models = [load_model(model, policy=policy) for model in MODELS]
    everyone = members(5, 3) if everyone is None else everyone
    stepper = Stepper(composition=True, record=RECORD, **stepper)
    return evolve(everyone, Problem(models, list(ashes.values()), PRESSURES, physics or Physics(), stepper), batch=8)


@pytest.fixture(scope="module")
def crusts():
    return run()


@pytest.fixture(scope="module")
def with_lattice():
    return run(physics=Physics(lattice=True))


@partial(jax.jit, static_argnames="lattice")
def thermodynamics(n_b, Y_e, Y_n, Y_z53, P, lattice):
    """mu_e, mu_n, Gibbs energy per baryon without that of nuclei (all less m_u), slope at frozen composition."""
    matter, mixture = eos.Matter(lattice=float(lattice)), eos.Mixture(Y_e, Y_n, Y_z53)
    n_e, n_n = n_b * Y_e, n_b * Y_n
    energy = eos.electron_energy_density(n_e) + eos.neutron_energy_density(n_n, matter)
    energy += eos.lattice_energy_density(n_b, mixture, matter)
    mu_n = NEUTRON_EXCESS + eos.neutron_chemical_potential(n_n, matter)
    gibbs = (energy + P) / n_b + NEUTRON_EXCESS * Y_n
    return eos.electron_chemical_potential(n_e), mu_n, gibbs, frozen_slope(n_b, mixture, matter)


class Path:
    """A crust after each of its steps, from the record; (steps,) arrays, MeV and fm."""

    def __init__(self, evolution, crust, lattice):
        for key, value in recorded_steps(evolution, crust)._asdict().items():
            setattr(self, key, value.astype(int) if key in ("nuclide", "first", "second", "channel") else value)
        self.name = f"{MODELS[crust // 3]}, {list(ASHES)[crust % 3]}"
        self.masses = load_model(MODELS[crust // 3]).mixed
        Z, N, n = self.nuclide // 161, self.nuclide % 161, len(self.P)
        Y_e, Y_z53 = np.sum(Z * self.Y, axis=1), np.sum(Z ** (5 / 3) * self.Y, axis=1)
        at = [np.pad(x, (0, RECORD - n), mode="edge") for x in (self.n_b, Y_e, self.Y_n, Y_z53, self.P)]  # one shape
        self.mu_e, self.mu_n, gibbs, self.frozen_slope = (np.asarray(x)[:n] for x in thermodynamics(*at, lattice))
        self.G = gibbs + np.where(self.Y > 0, self.Y * self.masses[Z, N], 0.0).sum(axis=1)
        self.n_e, self.n_n = self.n_b * Y_e, self.n_b * self.Y_n
        channel = np.clip(self.channel, 0, CHANNELS - 1)
        self.dZ, self.k = CHANNEL_DZ[channel], CHANNEL_K[channel]
        # steps, from the second: between two entries of the record
        self.burns = self.pressure_kind[1:] == Move.BURN
        self.rises = np.diff(self.P) > 0
        self.slides = self.rises & (self.channel[1:] >= 0) & (self.channel[1:] < CHANNELS)

    def energy_of_trigger(self):
        """E(daughter) - E(parent) of each step's channel."""
        Z, N = self.first // 161, self.first % 161
        return self.masses[Z + self.dZ, N - self.dZ - self.k] - self.masses[Z, N]


@pytest.fixture(scope="module")
def paths(crusts):
    return [Path(crusts, crust, lattice=False) for crust in CRUSTS]


@pytest.fixture(scope="module")
def lattice_paths(with_lattice):
    return [Path(with_lattice, crust, lattice=True) for crust in CRUSTS]


LATTICE = pytest.mark.parametrize("lattice", [False, True], ids=["", "lattice"])


@pytest.fixture
def either(request, lattice):
    """A run without or with the lattice."""
    return request.getfixturevalue("with_lattice" if lattice else "crusts")


@pytest.fixture
def either_paths(request, lattice):
    return request.getfixturevalue("lattice_paths" if lattice else "paths")


@LATTICE
def test_every_crust_reaches_the_end(either):
    assert np.all(either.status == Status.OK)
    assert all(np.all(np.isfinite(values)) for values in either.profiles.values())


@LATTICE
def test_baryons_and_charge_are_conserved(either):
    Z, N = either.nuclides // 161, either.nuclides % 161
    Y, p = either.abundances, either.profiles
    assert np.all(Y >= 0)
    assert np.all(p["Y_n"] >= 0)
    np.testing.assert_allclose(np.sum((Z + N) * Y, axis=-1) + p["Y_n"], 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.sum(Z * Y, axis=-1), p["Y_e"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.sum(Y, axis=-1), p["sum_Y"], rtol=0, atol=1e-12)


@LATTICE
def test_gibbs_energy_never_rises_at_constant_pressure(either_paths):
    """A burn begins with a negative affinity and ends where it is zero at the latest: no tolerance but rounding."""
    for path in either_paths:
        change = np.diff(path.G)[path.burns]
        assert change.size > 5
        assert np.all(change < 2e-13), (path.name, change.max())


@LATTICE
def test_heat_of_a_burn_is_the_gibbs_energy_it_releases(either_paths):
    """Potentials are taken as linear in the amount of a burn: 1.2e-5 MeV off at most in these crusts, of 0.1 to 0.4."""
    for path in either_paths:
        missing = (np.diff(path.heat) + np.diff(path.G))[path.burns]
        assert np.abs(missing).sum() < 1e-4, path.name


@LATTICE
def test_heat_and_work_of_compression_are_the_change_of_gibbs_energy(either_paths):
    """dG = dP/n_b - dq along the whole crust, moves included; its integral by the trapezoidal rule in ln P."""
    for path in either_paths:
        volume = path.P / path.n_b
        work = np.sum(np.diff(np.log(path.P)) * (volume[1:] + volume[:-1]) / 2)
        released, heat = path.G[0] + work - path.G[-1], path.heat[-1] - path.heat[0]
        np.testing.assert_allclose(heat, released, rtol=0, atol=2e-4, err_msg=path.name)
        assert heat > 0.5
        assert np.all(np.diff(path.heat) >= 0), "neither burns nor moves absorb heat"


@LATTICE
def test_density_and_pressure_rise_inwards_and_recorded_pressures_are_exact(either, either_paths, lattice):
    p, matter = either.profiles, eos.Matter(lattice=float(lattice))
    assert np.all(np.diff(p["n_b"], axis=1) > 0)
    P = eos.pressure(p["n_b"], eos.Mixture(p["Y_e"], p["Y_n"], p["Y_z53"]), matter) * DYN_PER_CM2
    np.testing.assert_allclose(P, np.broadcast_to(PRESSURES, P.shape), rtol=1e-11)
    for crust, path in enumerate(either_paths):
        assert np.all(np.diff(path.P) >= 0)
        recorded = path.grid_index >= 0
        np.testing.assert_array_equal(path.grid_index[recorded], np.arange(len(PRESSURES)))
        np.testing.assert_array_equal(path.P[recorded], PRESSURES / DYN_PER_CM2)
        np.testing.assert_array_equal(path.n_b[recorded], p["n_b"][crust])
        np.testing.assert_array_equal(path.heat[recorded], p["heat"][crust])


def test_a_channel_along_which_the_crust_slides_stays_marginal(paths):
    for path in paths:
        g = path.energy_of_trigger() + path.dZ * path.mu_e + path.k * path.mu_n
        assert path.slides.sum() > 50
        assert np.abs(g[1:][path.slides]).max() < 2e-8, path.name


def test_slopes_of_mu_e_between_events(paths):
    """k/(k n_e - dZ n_n) along a marginal channel; that at frozen composition along none.

    Both are monotonic in a step, so the slope of its chord lies between those at its ends: no discretisation error.
    """
    flat = 0
    for path in paths:
        dZ, k, E = path.dZ[1:], path.k[1:], path.energy_of_trigger()[1:]
        long = np.log(path.P[1:] / path.P[:-1]) > 1e-4
        marginal = path.slides & long & (np.abs(E + dZ * path.mu_e[:-1] + k * path.mu_n[:-1]) < 1e-8)
        frozen = path.rises & long & (path.channel[1:] < 0)
        ends = slice(None, -1), slice(1, None)
        for which, slopes in (
            (marginal, [k[marginal] / (k * path.n_e[i] - dZ * path.n_n[i])[marginal] for i in ends]),
            (frozen, [path.frozen_slope[i][frozen] for i in ends]),
        ):
            assert which.sum() > 50
            chord = (np.diff(path.mu_e)[which] / np.diff(path.P)[which]) * path.n_e[1:][which]
            low, high = np.sort(slopes, axis=0) * path.n_e[1:][which]
            assert np.all((chord > low - 1e-9) & (chord < high + 1e-9)), path.name
        without_neutrons = marginal & (k == 0)
        flat += without_neutrons.sum()
        assert np.all(np.abs(np.diff(path.mu_e)[without_neutrons]) < 1e-7)
    assert flat > 50


def test_the_lattice_moves_a_threshold_by_the_closed_form(lattice_paths):
    """56Cr, the first to be met beyond the lowest pressure: mu_e = E(56V) - E(56Cr) + what the lattice adds."""
    path = lattice_paths[3 * MODELS.index("DZ31")]
    capture = np.flatnonzero((path.first == 24 * 161 + 32) & (path.channel == 4))[0]
    K = 1.444231 * 197.3269804 / 137.035999084
    shift = K * path.n_e[capture - 1] ** (1 / 3) * (24 ** (5 / 3) - 23 ** (5 / 3) + 24 ** (2 / 3) / 3)
    assert shift > 0.2
    beyond = path.mu_e[capture - 1] - (path.masses[23, 33] - path.masses[24, 32]) - shift
    assert (
        0 < beyond < AFFINITY_PER_LN_P * Stepper().landed - THRESHOLD
    )  # a move ends that far behind a threshold at most


@pytest.mark.parametrize(
    ("batches", "n_lanes", "at_a_time", "order"),
    [(1, 8, 8, CRUSTS), (2, 8, 8, CRUSTS[::-1]), (1, 16, 1, np.random.default_rng(0).permutation(15)), (1, 8, 8, [7])],
)
def test_results_do_not_depend_on_lane_order_batch_size_padding_or_batches(
    crusts, monkeypatch, batches, n_lanes, at_a_time, order
):
    """Nor on how many lanes' results are taken out at a time."""
    monkeypatch.setattr(ensemble_module, "batches_and_lanes", lambda *_: (batches, n_lanes))
    monkeypatch.setattr(batch_module, "RESULTS_AT_A_TIME", at_a_time)
    order = np.array(order)
    result = run(take(members(5, 3), order))
    for key, values in result.profiles.items():
        np.testing.assert_array_equal(values, crusts.profiles[key][order], err_msg=key)
    for key in ("n_steps", "n_recorded", "segments", "abundances", "record"):
        np.testing.assert_array_equal(getattr(result, key), getattr(crusts, key)[order], err_msg=key)


def test_results_as_members_end_are_those_of_all_at_the_end(crusts):
    """Each member once, while others go on."""
    seen, counts = [], []

    def each(numbers, evolution):
        seen.extend(numbers.tolist())
        counts.append(len(numbers))
        for key, values in evolution.profiles.items():
            np.testing.assert_array_equal(values, crusts.profiles[key][numbers], err_msg=key)
        for key in ("status", "n_steps", "mismatch", "segments", "nuclides", "abundances", "record"):
            np.testing.assert_array_equal(getattr(evolution, key), getattr(crusts, key)[numbers], err_msg=key)

    models = [load_model(model) for model in MODELS]
    stepper = Stepper(composition=True, record=RECORD)
    evolve_each(members(5, 3), Problem(models, list(ASHES.values()), PRESSURES, Physics(), stepper), each, batch=8)
    assert sorted(seen) == list(CRUSTS)
    assert len(counts) > 2


def test_failures_are_values_and_disturb_no_neighbour(crusts):
    full = {(26, N): 1 / 16 for N in range(25, 41)}  # a nuclide in every slot: no room for another
    ashes = {"Fe56": ASHES["Fe56"], "edge": {(60, 90): 1.0}, "full": full}
    result = run(members(1, 3), ashes=ashes)
    np.testing.assert_array_equal(result.status, [Status.OK, Status.CHART_EDGE, Status.SLOT_OVERFLOW])
    for key, values in result.profiles.items():
        np.testing.assert_array_equal(values[0], crusts.profiles[key][0])
        assert np.all(np.isnan(values[1:]))
    short = run(members(1, 1), max_steps=50)
    np.testing.assert_array_equal(short.status, [Status.STEP_LIMIT])
    np.testing.assert_array_equal(short.n_steps, [50])


def test_a_crust_of_too_many_segments_ends_and_disturbs_no_neighbour(crusts, monkeypatch):
    """With room for as many as half of the crusts have: the others end when theirs is full."""
    counts = np.sum(~np.isnan(crusts.segments[:, :, 0]), axis=1)
    room = int(np.median(counts))
    for module in (account, evolution_module, lanes):
        monkeypatch.setattr(module, "MAX_SEGMENTS", room)
    try:
        jax.clear_caches()
        result = run()
    finally:
        jax.clear_caches()
    ends = counts > room
    assert 0 < ends.sum() < len(ends)
    np.testing.assert_array_equal(result.status, np.where(ends, Status.SEGMENT_OVERFLOW, Status.OK))
    for key, values in result.profiles.items():
        assert np.all(np.isnan(values[ends])), key
        np.testing.assert_array_equal(values[~ends], crusts.profiles[key][~ends], err_msg=key)
    np.testing.assert_array_equal(result.segments[~ends], crusts.segments[~ends, :room])
    assert np.all(result.n_steps[ends] < crusts.n_steps[ends])


def test_steps_that_were_not_recorded_are_refused(crusts):
    with pytest.raises(ValueError, match="no steps were recorded"):
        recorded_steps(replace(crusts, record=None), 0)
    with pytest.raises(ValueError, match=r"member 0 took \d+ steps, but there was room for 100"):
        recorded_steps(replace(crusts, record=crusts.record[:, :100]), 0)


def test_fusion_begins_the_earlier_the_faster_it_is():
    """Rates uncertain by ten orders of magnitude either way: all crusts end, with fusion ever earlier."""
    model, scale = (x.ravel() for x in np.meshgrid(np.arange(5), [-10.0, -5.0, 0.0, 5.0, 10.0], indexing="ij"))
    result = run(replace(members(25, 1), model=model, ash=0 * model, pycno_log10_scale=scale))
    assert np.all(result.status == Status.OK)
    sum_Y = result.profiles["sum_Y"]
    assert np.all(np.diff(sum_Y, axis=1) < 1e-15), "only fusion changes the number of nuclei"
    first = np.sum(sum_Y > sum_Y[:, :1] * (1 - 1e-9), axis=1).reshape(5, 5)  # recorded pressures before fusion
    assert np.all(np.diff(first, axis=1) <= 0)
    assert np.any(first[:, -1] < first[:, 0])


@pytest.mark.parametrize("policy", ["unmixed", "aligned"])
def test_other_policies_end_and_conserve(policy):
    result = run(policy=policy)
    assert np.all(result.status <= GOOD)
    A = result.nuclides // 161 + result.nuclides % 161
    np.testing.assert_allclose(np.sum(A * result.abundances, axis=-1) + result.profiles["Y_n"], 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.mismatch > 3, result.status == Status.SWITCHED_TO_MIXED)


@pytest.fixture(scope="module")
def perturbed():
    model, sample = (x.ravel() for x in np.meshgrid([0, 1, 4], np.arange(8), indexing="ij"))
    return replace(members(24, 1), model=model, ash=0 * model, sample=sample)


def test_members_with_mass_errors(crusts, perturbed):
    """All end; sample 0 has no errors, nor have measured nuclides; a sample is its own, whatever its neighbours."""
    result = run(perturbed, Physics(sigma=0.5, seed=7))
    assert np.all(result.status == Status.OK)
    Y_e = result.profiles["Y_e"].reshape(3, 8, -1)
    np.testing.assert_allclose(Y_e[:, 0], crusts.profiles["Y_e"][[0, 3, 12]], rtol=1e-9)
    measured = PRESSURES < 1e28  # 56Cr, 56Ti
    np.testing.assert_array_equal(Y_e[:, :, measured], np.broadcast_to(Y_e[:, :1, measured], Y_e[:, :, measured].shape))
    ends = Y_e[:, :, PRESSURES > 1e30].reshape(24, -1)
    assert len(np.unique(ends, axis=0)) == 24, "no two alike"
    alone = run(take(perturbed, [10]), Physics(sigma=0.5, seed=7))
    np.testing.assert_array_equal(alone.profiles["Y_e"][0], Y_e[1, 2])
    other_seed = run(take(perturbed, [10]), Physics(sigma=0.5, seed=8))
    assert not np.array_equal(other_seed.profiles["Y_e"][0], Y_e[1, 2])


def mu_e_of(evolution):
    return np.asarray(eos.electron_chemical_potential(evolution.profiles["n_b"] * evolution.profiles["Y_e"]))


@pytest.fixture(scope="module")
def plain():
    """The same crusts by the plain code."""
    return [
        slide.evolve(load_model(model).mixed, ash, pressures=PRESSURES, g_mdot=G_MDOT)
        for model in MODELS
        for ash in ASHES.values()
    ]


def test_the_plain_code_gives_the_same_crusts(crusts, plain):
    """To rounding where nothing reacts; both end a move behind a threshold by a tolerance, each where it happens."""
    mu_e, heat = mu_e_of(crusts), crusts.profiles["heat"]
    for crust in CRUSTS:
        apart = np.abs(mu_e[crust] / plain[crust].mu_e - 1)
        print(
            crust,
            np.median(apart),
            np.quantile(apart, 0.99),
            apart.max(),
            np.abs(heat[crust] - plain[crust].heat).max(),
            heat[crust][-1] - plain[crust].heat[-1],
        )
        assert np.median(apart) < 1e-14, crust
        assert apart.max() < 1e-5, crust
        assert np.abs(heat[crust] - plain[crust].heat).max() < 3e-3, crust


@pytest.mark.parametrize("step", [0.02, 0.005])
def test_the_length_of_steps_does_not_matter(crusts, step):
    other = run(step=step)
    np.testing.assert_allclose(mu_e_of(other), mu_e_of(crusts), rtol=1e-3)
    np.testing.assert_allclose(other.profiles["heat"], crusts.profiles["heat"], rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("model", "ash"),
    [
        ("FRDM95+DZ31", "Fe56"),
        ("HFB21+DZ31", "Pd106"),
        ("BSkG4+DZ31", "four"),
        ("DZ31", "Fe56"),  # scarce neutrons at 1.04e30
    ],
)
def test_chunks_tend_to_it(crusts, model, ash):
    masses, crust = load_model(model), 3 * MODELS.index(model) + list(ASHES).index(ash)
    mu_e, heat, errors = mu_e_of(crusts)[crust], crusts.profiles["heat"][crust, -1], []
    for chunk in (0.004, 0.001):
        rules = {"pressures": PRESSURES, "g_mdot": G_MDOT, "chunk": chunk}
        stepped = reference.evolve(masses.mixed, masses.sources, ASHES[ash], **rules)
        errors.append(np.mean(np.abs(stepped.mu_e / mu_e - 1)))
    assert errors[1] < errors[0] / 2
    assert errors[1] < 1e-4
    assert abs(stepped.heat[-1] - heat) < 0.01
