"""What a crust is asked for, from a replay: profiles, thresholds, heat, where diffusion equilibrium breaks.

Slopes of mu_e are exact, from the state: along the marginal reaction where a step slides, else at frozen composition.
Which step and which bound of R a layer begins and ends at belongs to the sequence (`Structure`, found once from the
record); where in pressure that is depends smoothly on the parameters.
"""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.engine.slide.record import Amount, Move
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import diffusion, eos, reactions
from gpucrust.physics.eos import Mixture
from gpucrust.physics.slopes import nodiff_slope
from gpucrust.profiles.layers import BAND, BOUNDS, regime_of
from gpucrust.schema import Regime
from gpucrust.sensitivity.replay import (
    Parameters,
    Path,
    Steps,
    Threshold,
    energy_change,
    mixture_of,
    net_of,
    potentials,
    replay,
    threshold_value,
)
from gpucrust.sensitivity.tape import Record
from gpucrust.support.precision import needs_x64

MAX_LAYERS = 64
AT_START, AT_END = -1.0, -2.0
"""In place of a bound of R: a layer begins or ends with the step."""


class Outputs(NamedTuple):
    """What may be asked for, CGS where the dataset has CGS; a pytree. Names are the dataset's."""

    mu_e: Array  # (pressures,) MeV, as all profiles
    mu_n: Array
    rho: Array
    Y_e: Array
    X_n: Array
    heat: Array
    equilibrium_ratio: Array
    J_ratio: Array
    threshold_pressure: Array  # (steps,) after every step; it depends on parameters where the step has an event
    layer_P_start: Array  # (MAX_LAYERS,) 0 beyond the last
    layer_P_end: Array
    layer_thickness: Array  # m
    total_heat: Array
    broken_thickness: Array  # m
    max_J_ratio: Array


class Structure(NamedTuple):
    """Where in the sequence outputs lie; a pytree of arrays."""

    grid_step: np.ndarray  # (pressures,) step after which a pressure was recorded
    ratio_at: np.ndarray  # (pressures,) step along which R is taken there
    ratio_end: np.ndarray  # (pressures,) at its end, else at its start
    layer_step: np.ndarray  # (MAX_LAYERS, 2) steps in which layers begin and end
    layer_bound: np.ndarray  # (MAX_LAYERS, 2) the bound of R there, or AT_START, AT_END
    layer_regime: np.ndarray  # (MAX_LAYERS,) a Regime; EQUILIBRIUM beyond the last
    flux_at: np.ndarray  # step of the largest flux in layers, -1 without layers
    flux_end: np.ndarray


class Side(NamedTuple):
    """The crust at the start or the end of every step; (steps,) arrays, but Y (steps, slots)."""

    P: Array
    n_b: Array
    Y: Array
    Y_n: Array
    mixture: Mixture
    R: Array


def slope_along(
    record: Record,
    trigger: Threshold,
    dE: Array,
    n_b: Array,
    Y: Array,
    Y_n: Array,
    net: Array,
    net_Y_n: Array,
    parameters: Parameters,
) -> Array:
    """dmu_e/dP of one step at one state, fm^3: along its marginal trigger, else at frozen composition.

    With x = ln n_b and D the amount of the net, mu_e, P and the trigger's threshold value phi are functions of (x, D);
    dP = P_x dx + P_D dD, and dphi = 0 while the trigger is marginal, dD = 0 while nothing reacts.
    """
    Z = nuclide_Z(record.nuclide)

    def state(at: Array) -> Array:
        x, D = at
        Y_then, n_b_then = Y + D * net, n_b * jnp.exp(x)
        mixture = mixture_of(Z, Y_then, Y_n + D * net_Y_n)
        P = eos.pressure(n_b_then, mixture, parameters.matter)
        mu_e = eos.electron_chemical_potential(n_b_then * mixture.Y_e)
        return jnp.stack([mu_e, P, threshold_value(trigger, dE, n_b_then, P, Y_then, mixture, parameters)])

    (mu_x, mu_D), (P_x, P_D), (phi_x, phi_D) = jax.jacfwd(state)(jnp.zeros(2))
    # where the first neutrons appear, mu_n is infinitely steep: the slope is the frozen one
    slides = ((record.amount == Amount.MARGINAL) | (record.move == Move.STOCK)) & ((Y_n > 0) | (net_Y_n == 0))
    determinant = P_x * phi_D - P_D * phi_x
    slides = slides & (determinant != 0)
    along = (mu_x * phi_D - mu_D * phi_x) / jnp.where(slides, determinant, 1.0)
    return jnp.where(slides, along, mu_x / P_x)


def sides(steps: Steps, path: Path, parameters: Parameters) -> tuple[Side, Side]:
    """The crust at the start and at the end of every step."""
    record = steps.record
    Z = nuclide_Z(record.nuclide)
    dE = energy_change(steps.trigger, parameters)

    def before(values: Array, first: Array) -> Array:
        return jnp.concatenate([first[None], values[:-1]])

    Y_before = before(path.Y, record.Y_start), before(path.Y_n, jnp.array(0.0))
    by_step = record._replace(Y_start=jnp.zeros_like(record.P))
    net, net_Y_n = jax.vmap(net_of)(by_step, *Y_before)
    start = before(path.P, path.P[0]), before(path.n_b, path.n_b[0]), *Y_before
    end = path.P, path.n_b, path.Y, path.Y_n

    # both sides in one call: half the program to compile
    def twice(tree: Any) -> Any:
        return jax.tree.map(lambda x: jnp.concatenate([x, x]), tree)

    P, n_b, Y, Y_n = (jnp.concatenate(pair) for pair in zip(start, end, strict=True))
    of_step = jax.vmap(slope_along, in_axes=(0,) * 8 + (None,))
    record2, trigger, dE, net, net_Y_n = twice((by_step, steps.trigger, dE, net, net_Y_n))
    slope = of_step(record2, trigger, dE, n_b, Y, Y_n, net, net_Y_n, parameters)
    mixture = mixture_of(jnp.concatenate([Z, Z]), Y, Y_n)
    R = slope / nodiff_slope(n_b, mixture, parameters.matter)
    both, n = Side(P, n_b, Y, Y_n, mixture, R), path.P.shape[0]
    return jax.tree.map(lambda x: x[:n], both), jax.tree.map(lambda x: x[n:], both)


def heat_of_steps(steps: Steps, path: Path, start: Side, end: Side, parameters: Parameters) -> Array:
    """Gibbs energy released by every step, MeV per baryon: (steps,).

    -d sum_i net_i (E_i + Z_i mu_e + Z_i^(5/3) ell) - d net_n mu_n, at the mean of the potentials before and after.
    """
    record = steps.record
    by_step = record._replace(Y_start=jnp.zeros_like(record.P))
    net, net_Y_n = jax.vmap(net_of)(by_step, start.Y, start.Y_n)
    Z = nuclide_Z(record.nuclide)
    both = [potentials(side.n_b, side.mixture, parameters.matter) for side in (start, end)]
    mu_e, mu_n, ell = ((a + b) / 2 for a, b in zip(*both, strict=True))
    per_nucleus = jnp.asarray(parameters.E)[record.nuclide] + Z * mu_e[:, None] + reactions.z53(Z) * ell[:, None]
    happens = net != 0
    return -path.d * (jnp.sum(jnp.where(happens, net * per_nucleus, 0.0), -1) + net_Y_n * mu_n)


def _flux_ratio(side: Side, parameters: Parameters) -> Array:
    """J_n/J_acc (CS20 eq. 10 over accretion's)."""
    rho_n = side.n_b * RHO_PER_N_B * side.Y_n
    A_mean = (1 - side.Y_n) / jnp.sum(side.Y, -1)
    J_n = diffusion.neutron_flux(A_mean, parameters.g, rho_n, side.R)
    return J_n / diffusion.accretion_flux(parameters.mdot)


def _choose(at_end: Any, start: Array, end: Array) -> Array:
    return jnp.where(at_end, end, start)


@needs_x64
@jax.jit
def find_sides(steps: Steps, parameters: Parameters) -> tuple[Side, Side]:
    """Both sides of every step as recorded: what `find_structure` needs."""
    r = steps.record
    return sides(steps, Path(r.Y, r.Y_n, r.n_b, r.P, r.d), parameters)


def find_structure(record: Record, start: Side, end: Side, layer_cut: float, parameters: Parameters) -> Structure:
    """The Structure of one crust. layer_cut: m; layers thinner than this are left out."""
    amount, grid_index = np.asarray(record.amount), np.asarray(record.grid_index)
    P_start, P_end = np.asarray(start.P), np.asarray(end.P)
    moves = np.flatnonzero((amount >= 0) & (P_end > P_start))
    grid_step = np.flatnonzero(grid_index >= 0)
    following = np.searchsorted(moves, grid_step, side="right")
    last = following == len(moves)
    ratio_at = moves[np.minimum(following, len(moves) - 1)]

    layers = _layers(moves, np.asarray(start.R), np.asarray(end.R))
    layers = [layer for layer in layers if layer[0] != Regime.EQUILIBRIUM]
    step, bound = np.zeros((MAX_LAYERS, 2), int), np.full((MAX_LAYERS, 2), AT_START)
    regime = np.zeros(MAX_LAYERS, int)
    depth = _depth(start, end, parameters)
    places = np.array([layer[1:] for layer in layers]).reshape(-1, 2, 2)
    edges = np.asarray(_depth_at(places[..., 0].astype(int), places[..., 1], start, end, depth, parameters))
    thick = np.flatnonzero(edges[:, 1] - edges[:, 0] >= layer_cut)
    kept = len(thick)
    if kept > MAX_LAYERS:
        raise ValueError(f"more than {MAX_LAYERS} layers out of equilibrium in one crust: raise output.layer_cut")
    step[:kept], bound[:kept] = places[thick, :, 0], places[thick, :, 1]
    regime[:kept] = [layers[k][0] for k in thick]

    flux_at, flux_end, largest = -1, False, -1.0
    both = [np.abs(np.asarray(_flux_ratio(side, parameters))) for side in (start, end)]
    for k in range(kept):
        inside = moves[(moves >= step[k, 0]) & (moves <= step[k, 1])]
        for at_end, flux in enumerate(both):
            partial = [(step[k, 0], 1 - at_end), (step[k, 1], at_end)]
            # a layer that begins (ends) within a step does not have its start (end)
            for s in inside:
                cut = any(
                    s == p and side and bound[k, e] not in (AT_START, AT_END) for e, (p, side) in enumerate(partial)
                )
                if not cut and flux[s] > largest:
                    flux_at, flux_end, largest = int(s), bool(at_end), float(flux[s])
    return Structure(grid_step, ratio_at, last, step, bound, regime, np.array(flux_at), np.array(flux_end))


def _layers(moves: np.ndarray, R_start: np.ndarray, R_end: np.ndarray) -> list[list]:
    """Stretches of one regime: [regime, (first step, bound), (last step, bound)].

    R is linear in ln P along a step. An excursion that goes no further than BAND over a bound and back is none.
    """
    pieces: list[list] = []  # regime, begin, end, least R, largest R
    for s in moves:
        R0, R1 = float(R_start[s]), float(R_end[s])
        crossed = [b for b in (BOUNDS if R1 > R0 else BOUNDS[::-1]) if (R0 < b) != (R1 < b)]
        stops = [(R0, AT_START), *((b, b) for b in crossed), (R1, AT_END)]
        for (low, begin), (high, end) in itertools.pairwise(stops):
            kind = int(regime_of(np.array((low + high) / 2)))
            if pieces and pieces[-1][0] == kind:
                pieces[-1][2] = (s, end)
                pieces[-1][3:] = [min(pieces[-1][3], low, high), max(pieces[-1][4], low, high)]
            else:
                pieces.append([kind, (s, begin), (s, end), min(low, high), max(low, high)])
    merged: list[list] = []
    for k, piece in enumerate(pieces):
        neighbours = {p[0] for p in pieces[max(k - 1, 0) : k + 2 : 2]}
        brief = 0 < k < len(pieces) - 1 and len(neighbours) == 1 and _beyond(piece, neighbours.pop()) < BAND
        kind = merged[-1][0] if brief else piece[0]
        if merged and merged[-1][0] == kind:
            merged[-1][2] = piece[2]
        else:
            merged.append([kind, *piece[1:3]])
    return merged


def _beyond(piece: list, neighbour: int) -> float:
    """How far R goes beyond the bound between a piece and its neighbours' regime; infinite for regimes apart."""
    between = {
        frozenset((Regime.DECREASING, Regime.FLAT)): BOUNDS[0],
        frozenset((Regime.FLAT, Regime.EQUILIBRIUM)): BOUNDS[1],
        frozenset((Regime.EQUILIBRIUM, Regime.STEEP)): BOUNDS[2],
    }.get(frozenset((Regime(piece[0]), Regime(neighbour))))
    return np.inf if between is None else max(piece[4] - between, between - piece[3])


def _depth(start: Side, end: Side, parameters: Parameters) -> Array:
    """Depth at the start of every step, m: the integral of dP/(rho g)."""
    integrand = _thickness_per_ln_P(start, parameters) + _thickness_per_ln_P(end, parameters)
    within = integrand / 2 * jnp.log(end.P / start.P)
    return jnp.cumsum(within) - within


def _thickness_per_ln_P(side: Side, parameters: Parameters) -> Array:
    """P/(rho g), m."""
    return side.P * DYN_PER_CM2 / (side.n_b * RHO_PER_N_B * parameters.g) / 100


def _fraction(step: Any, bound: Any, start: Side, end: Side) -> Array:
    """How far along a step, in ln P, R reaches the bound."""
    R0, R1 = start.R[step], end.R[step]
    crosses = bound >= 0
    rise = jnp.where(crosses & (R1 != R0), R1 - R0, 1.0)
    return jnp.where(crosses, (bound - R0) / rise, jnp.where(bound == AT_END, 1.0, 0.0))


def _depth_at(step: Any, bound: Any, start: Side, end: Side, depth: Any, parameters: Parameters) -> Array:
    """Depth at a place, m; the integrand is linear in ln P along a step."""
    w = _fraction(step, bound, start, end)
    first, last = (_thickness_per_ln_P(side, parameters)[step] for side in (start, end))
    return depth[step] + w * (first + w / 2 * (last - first)) * jnp.log(end.P[step] / start.P[step])


@needs_x64
def outputs_of(steps: Steps, structure: Structure, parameters: Parameters, iterations: int = 0) -> Outputs:
    """All outputs of one crust as functions of the parameters, at its fixed sequence. iterations: see `replay`."""
    path = replay(steps, parameters, iterations)
    start, end = sides(steps, path, parameters)
    heat = jnp.cumsum(heat_of_steps(steps, path, start, end, parameters))
    s = structure
    at = jax.tree.map(lambda x: x[s.grid_step], end)
    R = _choose(s.ratio_end, start.R[s.ratio_at], end.R[s.ratio_at])
    step, bound = jnp.asarray(s.layer_step), jnp.asarray(s.layer_bound)
    broken = jnp.asarray(s.layer_regime) != Regime.EQUILIBRIUM
    ln_P = jnp.log(start.P[step]) + _fraction(step, bound, start, end) * jnp.log(end.P[step] / start.P[step])
    P_layer = jnp.where(broken[:, None], jnp.exp(ln_P) * DYN_PER_CM2, 0.0)
    depth = _depth_at(step, bound, start, end, _depth(start, end, parameters), parameters)
    thickness = jnp.where(broken, depth[:, 1] - depth[:, 0], 0.0)
    flux = [jnp.abs(_flux_ratio(side, parameters))[s.flux_at] for side in (start, end)]
    return Outputs(
        mu_e=eos.electron_chemical_potential(at.n_b * at.mixture.Y_e),
        mu_n=eos.neutron_chemical_potential(at.n_b * at.Y_n, parameters.matter),
        rho=at.n_b * RHO_PER_N_B,
        Y_e=at.mixture.Y_e,
        X_n=at.Y_n,
        heat=heat[s.grid_step],
        equilibrium_ratio=R,
        J_ratio=_flux_ratio(at._replace(R=R), parameters),
        threshold_pressure=end.P * DYN_PER_CM2,
        layer_P_start=P_layer[:, 0],
        layer_P_end=P_layer[:, 1],
        layer_thickness=thickness,
        total_heat=heat[-1],
        broken_thickness=jnp.sum(thickness),
        max_J_ratio=jnp.where(s.flux_at >= 0, _choose(s.flux_end, *flux), 0.0),
    )
