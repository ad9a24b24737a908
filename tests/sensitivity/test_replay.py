"""Replays of recorded crusts: they are the crust, they keep its laws, and their derivatives are right."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import recorded_crusts as recorded
from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.inputs import Physics
from gpucrust.engine.slide.record import Amount, Move
from gpucrust.masses import load_model
from gpucrust.masses.liquid_drop import MB_REFIT
from gpucrust.nuclide import N_STRIDE
from gpucrust.physics import eos
from gpucrust.sensitivity.derivatives import crust_outputs, derivatives, flat, linearize, make_crusts
from gpucrust.sensitivity.outputs import Outputs
from gpucrust.sensitivity.parameters import family_of
from gpucrust.sensitivity.replay import mixture_of, replay
from gpucrust.sensitivity.selection import thresholds
from gpucrust.sensitivity.tape import pad_steps, sequence_hash
from recorded_crusts import MDOT, STEP, G, record_models, shifted
from twins import slide

PRESSURES = np.geomspace(1e27, 2e31, 199)
IRON = {(26, 30): 1.0}
MIXTURE = {(14, 14): 0.1, (26, 30): 0.4, (34, 40): 0.2, (46, 58): 0.3}
CASES = {
    "iron": ("FRDM95+DZ31", IRON, Physics()),
    "mixture": ("HFB21+DZ31", MIXTURE, Physics()),
    "lattice": ("FRDM95+DZ31", IRON, Physics(lattice=True)),
    "liquid drop": ("MB-refit", IRON, Physics()),
}
ITERATIONS = 4
TABULATED = 3
"""Of the cases. In the crust of MB-refit fusions and captures of what they make go by turns: docs/sensitivity.md."""


@pytest.fixture(autouse=True, scope="module")
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def models():
    return [load_model(name) for name, *_ in CASES.values()]


@pytest.fixture(scope="module")
def crusts(models, x64):
    records, parameters = [], []
    for model, (_, ash, physics) in zip(models, CASES.values(), strict=True):
        own = record_models([model], [ash], PRESSURES, physics)
        records += own[0]
        parameters += own[1]
    return make_crusts(records, parameters)


@jax.jit
def pushed(steps, structure, parameters, tangent):
    """Outputs and their change, forward mode."""
    return jax.jvp(partial(crust_outputs, steps, structure), (parameters,), (tangent,))


def moved(crust, tangent, h):
    """Outputs with the parameters moved by h of a tangent: solved for anew at the same sequence."""
    steps, structure, parameters = crust
    there = jax.tree.map(lambda p, t: p + h * t, parameters, tangent)
    return jax.tree.map(np.asarray, crust_outputs(steps, structure, there, iterations=ITERATIONS))


def test_a_replay_is_the_crust(crusts):
    for i, made in enumerate(crusts.records):
        steps, _, parameters = crusts.member(i)
        n = len(made.P)
        for iterations in (0, ITERATIONS):
            path = replay(steps, parameters, iterations)
            # the engine solves for pressures to 1e-11; amounts follow less well where neutrons first appear
            np.testing.assert_allclose(path.P[:n], made.P, rtol=1e-11)
            np.testing.assert_allclose(path.n_b[:n], made.n_b, rtol=1e-10)
            np.testing.assert_allclose(path.Y[:n], made.Y, rtol=0, atol=1e-11)
        outputs = crust_outputs(*crusts.member(i), iterations=ITERATIONS)
        np.testing.assert_allclose(outputs.heat, made.heat[made.grid_index >= 0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("case", [0, 1])
def test_the_record_is_the_crust_of_the_plain_code(models, crusts, case):
    """With the same steps; heat is taken there from the masses, here from affinities."""
    ash = (IRON, MIXTURE)[case]
    plain = slide.evolve(models[case].mixed, ash, step=STEP, pressures=PRESSURES, g_mdot=G * MDOT)
    outputs = crust_outputs(*crusts.member(case), iterations=ITERATIONS)
    np.testing.assert_allclose(outputs.mu_e, plain.mu_e, rtol=1e-6)
    np.testing.assert_allclose(outputs.heat, plain.heat, rtol=0, atol=2e-6)


def test_a_moved_replay_keeps_the_laws(crusts):
    """Baryons are conserved, pressure is that of the state, and triggers stay marginal, with other masses too."""
    rng = np.random.default_rng(6)
    steps, _, parameters = crusts.member(0)
    record = steps.record
    shifts = 1e-3 * rng.standard_normal(parameters.E.shape)
    path = replay(steps, parameters._replace(E=parameters.E + shifts), ITERATIONS)
    Z, A = record.nuclide // N_STRIDE, record.nuclide // N_STRIDE + record.nuclide % N_STRIDE
    np.testing.assert_allclose(np.sum(A * path.Y, axis=1) + path.Y_n, 1.0, rtol=0, atol=1e-12)
    mixture = mixture_of(Z, path.Y, path.Y_n)
    np.testing.assert_allclose(eos.pressure(path.n_b, mixture, parameters.matter), path.P, rtol=1e-11)
    marginal = np.asarray((record.amount == Amount.MARGINAL) & (record.trigger[:, 2] < 12))
    assert marginal.sum() > 10
    t = steps.trigger
    E = np.asarray(parameters.E) + shifts
    mu_e = eos.electron_chemical_potential(path.n_b * mixture.Y_e)
    mu_n = 8.07131806 + eos.neutron_chemical_potential(path.n_b * path.Y_n, parameters.matter)
    g = E[t.daughter] - E[t.parent] + t.dZ * mu_e + t.k * mu_n
    np.testing.assert_allclose(g[marginal], 0.0, rtol=0, atol=1e-9)


def test_thresholds_move_by_the_implicit_function_theorem(crusts):
    """Without neutrons g = dE - mu_e and dmu_e/dP = 1/n_e: dP*/dE(parent) = -n_e, dP*/dE(daughter) = n_e."""
    steps, structure, parameters = crusts.member(0)
    record = steps.record
    event = int(np.flatnonzero((record.move == Move.EVENT) & (record.Y_n == 0) & (record.event[:, 2] == 4))[0])
    parent, daughter = int(steps.event.parent[event]), int(steps.event.daughter[event])
    n_e = float(record.n_b[event] * mixture_of(record.nuclide // N_STRIDE, record.Y, record.Y_n).Y_e[event])
    for code, sign in ((parent, -1), (daughter, 1)):
        tangent = jax.tree.map(jnp.zeros_like, parameters)._replace(E=jnp.zeros_like(parameters.E).at[code].set(1.0))
        _, change = pushed(steps, structure, parameters, tangent)
        np.testing.assert_allclose(change.threshold_pressure[event] / DYN_PER_CM2, sign * n_e, rtol=1e-10)


def test_shifting_all_masses_only_counts_nuclei(crusts):
    """The same energy added to every nucleus changes no channel; heat loses it once for every nucleus that goes."""
    for i in range(len(crusts)):
        steps, structure, parameters = crusts.member(i)
        tangent = jax.tree.map(jnp.zeros_like, parameters)._replace(E=jnp.ones_like(parameters.E))
        _, change = pushed(steps, structure, parameters, tangent)
        for name in ("mu_e", "X_n", "equilibrium_ratio", "layer_thickness"):
            np.testing.assert_allclose(getattr(change, name), 0.0, rtol=0, atol=1e-7, err_msg=name)
        gone = np.sum(steps.record.Y_start) - np.sum(steps.record.Y[-1])
        np.testing.assert_allclose(change.total_heat, gone, rtol=1e-9)


def directions(model, parameters):
    """One tangent a family (of masses several), with a step for central differences."""
    zero = jax.tree.map(jnp.zeros_like, parameters)
    rng = np.random.default_rng(1)
    E = parameters.E
    yield "masses", zero._replace(E=jnp.asarray(rng.standard_normal(E.shape))), 2e-6
    yield "masses again", zero._replace(E=jnp.asarray(rng.standard_normal(E.shape))), 2e-6
    yield "pycno", zero._replace(pycno_log10_scale=jnp.array(1.0)), 1e-5
    yield "g", zero._replace(g=parameters.g), 1e-5
    yield "mdot", zero._replace(mdot=parameters.mdot), 1e-5
    yield "lattice", zero._replace(lattice=jnp.array(1.0)), 2e-6
    for j in range(4):
        yield f"neutron_eos c_{j + 1}", zero._replace(neutron=jnp.zeros(4).at[j].set(1.0)), 2e-6
    name = "liquid_drop" if model.name == "MB-refit" else "dz31"
    family = family_of(name, model, parameters, MB_REFIT)
    for j in range(len(family.names)):
        scale = 1e-6 / max(float(jnp.abs(family.directions.E[j]).max()), 1e-3)
        yield f"{name} {family.names[j]}", jax.tree.map(lambda x, j=j: x[j], family.directions), scale


@pytest.mark.parametrize("case", range(len(CASES)), ids=CASES)
def test_derivatives_are_central_differences_at_the_fixed_sequence(models, crusts, case):
    crust = crusts.member(case)
    for family, tangent, h in directions(models[case], crust[2]):
        outputs, change = pushed(*crust, tangent)
        far = [moved(crust, tangent, s * h) for s in (2, 1, -1, -2)]
        difference = jax.tree.map(lambda a, b, c, d, h=h: (8 * (b - c) - (a - d)) / (12 * h), *far)
        for name, x, ours, theirs in zip(Outputs._fields, outputs, change, difference, strict=True):
            ours, size = np.asarray(ours), np.max(np.abs(np.asarray(ours)))
            # what rounding of the outputs themselves leaves of a difference
            rounding = 1e-12 * np.max(np.abs(np.asarray(x))) / h
            np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5 * size + rounding, err_msg=f"{family} {name}")


def test_reverse_mode_is_the_transpose_of_forward_mode(crusts):
    rng = np.random.default_rng(3)
    steps, structure, parameters = crusts.member(1)
    scale = jax.tree.map(lambda x: 1.0 + jnp.abs(x), parameters)
    tangent = jax.tree.map(lambda x: 1e-2 * x * rng.standard_normal(x.shape), scale)
    linear = linearize(steps, structure, parameters, iterations=0)
    change = linear.jvp(tangent)
    weights = jax.tree.map(lambda x: jnp.asarray(rng.standard_normal(x.shape) / (1 + np.abs(x).max())), change)
    gradient = linear.vjp(weights)
    left = sum(float(jnp.vdot(a, b)) for a, b in zip(weights, change, strict=True))
    right = sum(float(jnp.vdot(a, b)) for a, b in zip(gradient, tangent, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-10)


def test_an_ensembles_gradients_are_its_members(crusts):
    """grad of vmap equals a loop over members, to 1e-12."""
    n = flat(crust_outputs(*crusts.member(0))).shape[0]
    index = np.array([n - 3, n - 2, n - 1, len(PRESSURES) - 20])
    together = derivatives(crusts, np.tile(index, (len(crusts), 1)))
    for i in range(len(crusts)):
        padded = pad_steps(crusts.records[i], crusts.steps.record.P.shape[1])
        alone = make_crusts([padded], [crusts.member(i)[2]])
        own = derivatives(alone, index[None])
        np.testing.assert_allclose(together.values[i], own.values[0], rtol=1e-12)
        units = (1.0, 1.0, G, MDOT, 1.0, 1.0)
        for ours, theirs, unit in zip(own.gradients, together.gradients, units, strict=True):
            for value, a, b in zip(own.values[0], theirs[i], ours[0], strict=True):
                # where an output does not depend on a parameter, what is left is rounding of the output
                floor = 1e-15 * abs(value) / unit
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max() + floor)


def test_padding_changes_nothing(crusts):
    made = crusts.records[0]
    padded = pad_steps(made, len(made.P) + 7)
    assert sequence_hash(padded) == sequence_hash(made)
    with pytest.raises(ValueError, match="does not fit"):
        pad_steps(made, 3)


@pytest.fixture(scope="module")
def re_decided(models, crusts):
    """Crusts of masses shifted by +-h and +-2h, recorded anew: codes, and outputs [code][shift] where all had the same
    sequence."""
    found = []
    for case, (_, ash, physics) in enumerate(list(CASES.values())[:TABULATED]):
        n = flat(crust_outputs(*crusts.member(0))).shape[0]
        of = [n - 3, n - 2, PRESSURES.size - 20]
        gradients = np.abs(derivatives(crusts, np.tile(of, (len(crusts), 1))).gradients.E[case])
        codes = np.unique(np.argsort(-gradients, axis=1)[:, :5])
        charts = [shifted(models[case], code, s * H) for code in codes for s in SHIFTS]
        made = make_crusts(*record_models(charts, [ash] * len(charts), PRESSURES, physics))
        same = np.reshape([own == crusts.hashes[case] for own in made.hashes], (-1, len(SHIFTS))).all(axis=1)
        outputs = [jax.tree.map(np.asarray, crust_outputs(*made.member(i))) for i in range(len(made))]
        outputs = [x._replace(threshold_pressure=in_order(r, x)) for r, x in zip(made.records, outputs, strict=True)]
        rows = [outputs[k * len(SHIFTS) : (k + 1) * len(SHIFTS)] for k in range(len(codes))]
        found.append([(code, row) for code, row, fine in zip(codes, rows, same, strict=True) if fine])
    return found


H, SHIFTS = 2e-4, (2, 1, -1, -2)


def in_order(record, outputs):
    """Threshold pressures alone, without steps that end at given ones."""
    return np.asarray(outputs.threshold_pressure)[[s for s, _ in thresholds(record)]]


@pytest.mark.parametrize("case", range(TABULATED), ids=list(CASES)[:TABULATED])
def test_derivatives_are_those_of_the_re_decided_crust_where_the_sequence_stays(crusts, re_decided, case):
    """Richardson-extrapolated differences of crusts recorded anew, for the masses that tell most."""
    steps, structure, parameters = crusts.member(case)
    assert len(re_decided[case]) >= 8
    names = "total_heat", "heat", "mu_e", "rho", "broken_thickness", "threshold_pressure"
    slopes, ours = {name: [] for name in names}, {name: [] for name in names}
    for code, ends in re_decided[case]:
        tangent = jax.tree.map(jnp.zeros_like, parameters)._replace(E=jnp.zeros_like(parameters.E).at[code].set(1.0))
        _, change = pushed(steps, structure, parameters, tangent)
        change = change._replace(threshold_pressure=in_order(crusts.records[case], change))
        for name in names:
            far = [getattr(x, name) for x in ends]
            slopes[name].append((8 * (far[1] - far[2]) - (far[0] - far[3])) / (12 * H))
            ours[name].append(np.asarray(getattr(change, name)))
    for name in names:
        error = np.abs(np.array(slopes[name]) - np.array(ours[name])) / np.max(np.abs(ours[name]))
        # a recorded pressure that a threshold passes on the way from -2h to 2h has no derivative
        passed = 0.002 if name in Outputs._fields[:8] else 0.0
        assert np.mean(error > 2e-4) <= passed, (name, np.max(error))


def test_derivatives_are_the_limit_of_small_steps(models, crusts, monkeypatch):
    """As steps shrink, derivatives of records come to differences of the plain code at smaller steps still."""
    monkeypatch.setattr(recorded, "STEP", 0.005)
    fine = make_crusts(*record_models(models[:1], [IRON], PRESSURES))
    by_step = [total_heat_by_mass(x) for x in (crusts, fine)]
    for nuclide in ((18, 44), (12, 32)):  # Ar62, Mg44
        code, heat = nuclide[0] * N_STRIDE + nuclide[1], []
        for shift in (1e-3, -1e-3):
            E = shifted(models[0], code, shift).mixed
            heat.append(slide.evolve(E, IRON, step=0.001, pressures=PRESSURES, g_mdot=G * MDOT).heat[-1])
        coarse, close = (abs((heat[0] - heat[1]) / 2e-3 - x[code]) for x in by_step)
        assert close < 0.1 * coarse


def total_heat_by_mass(crusts):
    """(codes,) of the first crust."""
    n = flat(crust_outputs(*crusts.member(0))).shape[0]
    return derivatives(crusts, np.tile([n - 3], (len(crusts), 1))).gradients.E[0, 0]
