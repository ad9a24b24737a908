"""Ground state of the crust: at each pressure the nuclide of least Gibbs energy per baryon (figure 1's dotted lines).

Energies are counted per baryon from m_u. A nuclide with E = M - A m_u has at electron-nuclei pressure P_ei
    mu_b = (E + Z mu_e*)/A,    mu_e* = mu_e + 4 P_L/n_e,    dP_ei = n_e dmu_e*  (P_L = eps_L/3),
mu_e* being mu_e itself without the lattice. In the inner crust free neutrons are in equilibrium with nuclei,
mu_n = mu_b, and P = P_ei + P_n(mu_b). Two things follow.

The nuclide depends on P_ei alone: it is the one of least mu_b at that P_ei. What has a smaller mu_b there has, at the
same mu_b, a larger P_ei and the same P_n.

Eq. 7 of CS20 holds exactly within a layer. With n_b = A n_i + n_n and dmu_n = (Z/A) dmu_e*,
    dP = (n_e + n_n Z/A) dmu_e* = (Z/A) n_b dmu_e*,
so dmu_e*/dP = A m_u/(Z rho) with rho = m_u n_b (in general relativity A mu_b/(Z (eps + P)), the same number). With the
lattice eq. 7 is thus about mu_e*, and dmu_e/dP = (dmu_e/dmu_e*) A/(Z n_b).

Units: MeV, fm, MeV fm^-3. CS20's neglects are kept: no nuclear volume, masses as without surrounding neutrons.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gpucrust.constants import NEUTRON_EXCESS, RHO_PER_N_B
from gpucrust.physics import eos
from gpucrust.physics.diffusion import nodiff_slope
from gpucrust.physics.eos import Matter
from gpucrust.physics.lattice_electrons import electron_star, electrons_at_pressure, electrons_of_star, on_lattice
from gpucrust.support.persistent_jit import kept
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Chart, Floats, Numbers, Pressures, Scalar, ScalarLike

CHUNK = 64
"""Number of pressures at which the chart is searched at a time: 5 MB for a chart of (61, 161)."""

BETTER = 1e-12
"""Gibbs energy by which a nuclide must be better to replace another, MeV per baryon: more than rounding, which must not
make two nuclides take turns for ever."""

K_MAX = 3.0
"""Largest wave number of free neutrons that is looked at, fm^-1: 1.8 neutrons per fm^3, ten times the density within
nuclei, where no crust is left."""


class GroundState(NamedTuple):
    """Nuclei of one kind in equilibrium with their electrons and free neutrons; arrays of the shape of P."""

    Z: Floats
    """Charge number of the nuclei."""
    A: Floats
    """Mass number of the nuclei."""
    P_ei: Floats
    """Pressure of electrons and lattice, MeV fm^-3."""
    mu_e: Floats
    """Chemical potential of electrons with rest mass, without the lattice term, MeV."""
    mu_n: Floats
    """Chemical potential of free neutrons without rest mass, MeV; 0 in the outer crust."""
    mu_b: Floats
    """Gibbs energy per baryon less m_u, MeV."""
    n_b: Floats
    """Baryon density, fm^-3."""
    rho: Floats
    """Mass density m_u n_b, g cm^-3."""
    X_n: Floats
    """Fraction of baryons in free neutrons."""
    dmu_e_dP_nodiff: Floats
    """Slope of eq. 7, fm^3 (MeV per MeV fm^-3): exactly dmu_e/dP within a layer."""


# --- one nuclide


@needs_x64
def gibbs_per_baryon(mu_e_star: Numbers, E: Numbers, Z: Numbers, A: Numbers) -> Floats:
    """mu_b = (E + Z mu_e*)/A, MeV, less m_u."""
    return (jnp.asarray(E) + Z * jnp.asarray(mu_e_star)) / A


@needs_x64
@jax.jit
def matter_of_nuclide(P: Numbers, E: Numbers, Z: Numbers, A: Numbers, matter: Matter) -> GroundState:
    """Matter of one nuclide at pressure P (> 1e-11 MeV fm^-3), elementwise; differentiable in P, E and matter.

    Without neutrons if mu_b < m_n then; else P_ei(mu_b) + P_n(mu_b) = P with mu_b = mu_n(k), k the neutron wave number.
    """
    P, E, Z, A = jnp.broadcast_arrays(*(jnp.asarray(x, dtype=float) for x in (P, E, Z, A)))
    n_e_dry = electrons_at_pressure(P, Z, matter)
    mu_dry = gibbs_per_baryon(electron_star(n_e_dry, Z, matter), E, Z, A)
    wet = mu_dry > NEUTRON_EXCESS
    k = jnp.where(wet, _neutron_wave_number(P, E, Z, A, matter), 1.0)
    n_e_wet, n_n_wet = _densities(k, E, Z, A, matter)

    n_e, n_n = jnp.where(wet, n_e_wet, n_e_dry), jnp.where(wet, n_n_wet, 0.0)
    n_b = A * n_e / Z + n_n
    mu_n = eos.neutron_chemical_potential(n_n, matter)
    return GroundState(
        Z=Z,
        A=A,
        P_ei=P - eos.neutron_pressure(n_n, matter),
        mu_e=eos.electron_chemical_potential(n_e),
        mu_n=mu_n,
        mu_b=jnp.where(wet, NEUTRON_EXCESS + mu_n, mu_dry),
        n_b=n_b,
        rho=RHO_PER_N_B * n_b,
        X_n=n_n / n_b,
        # n_e dmu_e = dP_e and n_e dmu_e* = dP_ei
        dmu_e_dP_nodiff=eos.electron_share(n_e, on_lattice(Z), matter) * nodiff_slope(A, Z, n_b),
    )


def _densities(k: Array, E: Array, Z: Array, A: Array, matter: Matter) -> tuple[Array, Array]:
    """n_e and n_n where neutrons of wave number k are in equilibrium with the nuclide, fm^-3."""
    n_n = k**3 / (1.5 * jnp.pi**2)
    mu_b = NEUTRON_EXCESS + eos.neutron_chemical_potential(n_n, matter)
    return electrons_of_star((A * mu_b - E) / Z, Z, matter), n_n


def _neutron_wave_number(P: Array, E: Array, Z: Array, A: Array, matter: Matter) -> Array:
    """Root k of P_ei + P_n = P, fm^-1, by Newton's method within a bracket; one last step carries the derivatives."""

    def excess(k: Array, P: Array, E: Array, matter: Matter) -> tuple[Array, Array]:
        """P_ei + P_n - P and its derivative n_b dmu_n/dk."""
        n_e, n_n = _densities(k, E, Z, A, matter)
        dmu_n_dk = 3 * eos.neutron_stiffness(n_n, matter) / k
        P_now = eos.pressure(n_e, on_lattice(Z), matter) + eos.neutron_pressure(n_n, matter)
        return P_now - P, (A * n_e / Z + n_n) * dmu_n_dk

    frozen = lax.stop_gradient((P, E, matter))
    k = bracketed_newton(lambda k: excess(k, *frozen), jnp.zeros_like(P), jnp.full_like(P, K_MAX))
    difference, slope = excess(k, P, E, matter)
    return k - difference / lax.stop_gradient(slope)


def bracketed_newton(
    function: Callable[[Array], tuple[Array, Array]], low: Floats, high: Floats, iterations: int = 60
) -> Floats:
    """Root of an increasing function with value and slope, elementwise: Newton's method, bisecting where it leaves.

    Not differentiated: give it a function of stopped values and take one more step outside.
    """

    def step(_: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, low, high = state
        value, slope = function(x)
        low, high = jnp.where(value < 0, x, low), jnp.where(value > 0, x, high)
        newton = x - value / slope
        return jnp.where((newton >= low) & (newton <= high), newton, (low + high) / 2), low, high

    root: Array = lax.fori_loop(0, iterations, step, ((low + high) / 2, low, high))[0]
    return root


# --- the chart


@needs_x64
def best_nuclide(P_ei: ScalarLike, masses: Chart, matter: Matter) -> tuple[Scalar, Scalar, Scalar]:
    """Z, A and mu_b (MeV, less m_u) of the nuclide of least mu_b at one electron-nuclei pressure.

    masses: E (nZ, nN) indexed [Z, N], MeV; NaN where there is none. Row 0 is not looked at.
    """
    masses = jnp.asarray(masses)
    Z, A, exists = _chart(masses)
    mu_e_star = electron_star(electrons_at_pressure(P_ei, Z[:, 0], matter), Z[:, 0], matter)
    mu_b = jnp.where(exists, gibbs_per_baryon(mu_e_star[:, None], masses, Z, A), jnp.inf)
    best = jnp.argmin(mu_b)
    return Z.ravel()[best], A.ravel()[best], mu_b.ravel()[best]


def _chart(masses: Array) -> tuple[Array, Array, Array]:
    """Z and A of a chart, as floats of its shape (1 for Z = 0, where there is no nucleus), and where nuclei exist."""
    Z, N = (jnp.arange(n, dtype=float) for n in masses.shape)
    Z = jnp.broadcast_to(jnp.maximum(Z, 1.0)[:, None], masses.shape)
    return Z, Z + N[None], ~jnp.isnan(masses.at[0].set(jnp.nan))


def mass_of(masses: Chart, Z: Floats, A: Floats) -> Floats:
    """E of nuclides on the chart, MeV."""
    return jnp.asarray(masses)[Z.astype(int), (A - Z).astype(int)]


Search = tuple[Array, Array, Array, Array, Array]
"""P_ei, mu_b, Z and A at each pressure, and whether the last round made any of them better."""


@needs_x64
@kept
def ground_state(masses: Chart, P: Pressures, matter: Matter) -> GroundState:
    """Ground state at each pressure: the nuclide of the chart of least Gibbs energy per baryon.

    masses: E = M - A m_u (nZ, nN) indexed [Z, N], MeV, NaN where there is none. P: (n,) MeV fm^-3, above 1e-11
    (2e22 dyn cm^-2). Returns arrays (n,); differentiable in masses, P and matter at fixed nuclides.

    With P for P_ei, the best nuclide is a first guess; P_ei is found with it, and the best nuclide at that P_ei is the
    next guess. The rounds go on while mu_b falls anywhere, and so must end: after three or four.
    """
    masses, P = jnp.asarray(masses), jnp.asarray(P)
    fixed_masses, fixed_P, fixed_matter = lax.stop_gradient((masses, P, matter))

    def improve(state: Search) -> Search:
        P_ei, mu_b, Z, A, _ = state
        Z_best, A_best, mu_best = lax.map(lambda p: best_nuclide(p, fixed_masses, fixed_matter), P_ei, batch_size=CHUNK)
        better = mu_best < mu_b - BETTER
        Z, A = jnp.where(better, Z_best, Z), jnp.where(better, A_best, A)
        here = matter_of_nuclide(fixed_P, mass_of(fixed_masses, Z, A), Z, A, fixed_matter)
        return here.P_ei, here.mu_b, Z, A, jnp.any(here.mu_b < mu_b)

    start = (fixed_P, jnp.full_like(P, jnp.inf), jnp.zeros_like(P), jnp.zeros_like(P), jnp.array(True))
    _, _, Z, A, _ = lax.while_loop(lambda state: state[-1], improve, start)
    best: GroundState = matter_of_nuclide(P, mass_of(masses, Z, A), Z, A, matter)
    return best


Nuclide = tuple[float, float]
"""Z and A of a nuclide."""


class Layers(NamedTuple):
    """Layers of constant nuclide from the top down; arrays (n,). Each starts where the one above it ends."""

    Z: np.ndarray
    """Charge number of the nuclide."""
    A: np.ndarray
    """Mass number of the nuclide."""
    P_start: np.ndarray
    """Pressure at the top, MeV fm^-3."""
    P_end: np.ndarray
    """Pressure at the bottom, MeV fm^-3."""


@needs_x64
def layers(masses: Chart, P_start: float, P_end: float, matter: Matter) -> Layers:
    """All layers of the ground state from P_start to P_end, MeV fm^-3, their boundaries to 1e-11 or better.

    Where two nuclides have the same mu_b a third may be better: then both sides are searched again. No layer is missed,
    however thin: mu_b is linear in mu_e*(P_ei), so each nuclide is best on one interval at most (exactly so without
    the lattice, and with it in the limit of relativistic electrons).
    """
    masses = jnp.asarray(masses)

    def best(P: float) -> Nuclide:
        ground = ground_state(masses, jnp.array([P]), matter)
        return float(ground.Z[0]), float(ground.A[0])

    def boundaries(upper: Nuclide, P_upper: float, lower: Nuclide, P_lower: float) -> list[tuple[float, Nuclide]]:
        """Pressures between two at which a new nuclide begins, and that nuclide."""
        if upper == lower:
            return []
        pair = jnp.array([upper, lower])
        P = float(_crossing(mass_of(masses, *pair.T), *pair.T, P_upper, P_lower, matter))
        between = best(P)
        if between in (upper, lower):
            return [(P, lower)]
        return boundaries(upper, P_upper, between, P) + boundaries(between, P, lower, P_lower)

    first = best(P_start)
    begins = [(P_start, first), *boundaries(first, P_start, best(P_end), P_end)]
    P = np.array([P for P, _ in begins] + [P_end])
    Z, A = np.array([nuclide for _, nuclide in begins]).astype(int).T
    return Layers(Z, A, P[:-1], P[1:])


@jax.jit
def _crossing(E: Array, Z: Array, A: Array, P_low: ScalarLike, P_high: ScalarLike, matter: Matter) -> Scalar:
    """P between two at which the nuclide [0] stops being better than [1]."""

    def difference(ln_P: Array) -> tuple[Array, Array]:
        P = jnp.exp(ln_P)
        both = matter_of_nuclide(P, E, Z, A, matter)
        # dmu_b/dP = 1/n_b
        return both.mu_b[0] - both.mu_b[1], P * (1 / both.n_b[0] - 1 / both.n_b[1])

    return jnp.exp(bracketed_newton(difference, jnp.log(P_low), jnp.log(P_high)))


@needs_x64
@jax.jit
def neutron_drip(masses: Chart, matter: Matter) -> tuple[Scalar, GroundState]:
    """P at which the ground state begins to hold free neutrons, MeV fm^-3, and its matter there.

    Each nuclide has a pressure at which its mu_b reaches m_n; the last to do so is the ground state.
    """

    def drip(E: Array, Z: Array, A: Array, matter: Matter) -> Array:
        return eos.pressure(electrons_of_star((A * NEUTRON_EXCESS - E) / Z, Z, matter), on_lattice(Z), matter)

    masses = jnp.asarray(masses)
    Z, A, exists = _chart(masses)
    last = jnp.argmax(jnp.where(exists, drip(*lax.stop_gradient((masses, Z, A, matter))), -jnp.inf))
    E, Z, A = (x.ravel()[last] for x in (masses, Z, A))
    P = drip(E, Z, A, matter)
    return P, matter_of_nuclide(P, E, Z, A, matter)
