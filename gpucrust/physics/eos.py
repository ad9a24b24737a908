"""Equation of state of the crust: degenerate electrons, dripped neutrons, nuclei on a lattice (CS20 eq. 1).

Cold matter at baryon density n_b holds, per baryon, Y_i nuclei, Y_n free neutrons and Y_e = sum Z_i Y_i
electrons. Nuclei press only through the lattice. Every function is elementwise (any broadcastable shapes) and
differentiable, also at n_n = 0.

Units: densities fm^-3, momenta fm^-1, energies MeV, pressures MeV fm^-3. mu_e has its rest mass, mu_n has not.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gpucrust.constants import ATOMIC_MASS_UNIT, COULOMB, ELECTRON_MASS, HBAR_C, NEUTRON_EXCESS
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers

FERMI: float = (3 * jnp.pi**2) ** (1 / 3)
"""Fermi momentum over the cube root of the density, k_F/n^(1/3) = (3 pi^2)^(1/3), a pure number; of spin 1/2."""

MADELUNG = 1.444231
"""Coulomb energy of a bcc lattice, a pure number: eps_L = -MADELUNG e^2 n_e^(1/3) sum_i n_i Z_i^(5/3).

It is 0.895929 (4 pi/3)^(1/3), as the energy of a nucleus is -0.895929 Z^(5/3) e^2/a_e with 4 pi a_e^3 n_e/3 = 1."""

NEUTRON_MATTER: dict[str, tuple[float, ...]] = {
    # Mackie & Baym 1977, Nucl. Phys. A 285, 332
    "mackie-baym": (1.2974, 15.0298, -15.2343, 7.4663),
    # (3/5) (hbar k_F)^2 / 2 m_n with k_F = 2^(1/3) k
    "free-gas": (0.0, 0.6 * 2 ** (2 / 3) * HBAR_C**2 / (2 * (ATOMIC_MASS_UNIT + NEUTRON_EXCESS)), 0.0, 0.0),
}
"""Coefficients c_1, c_2, ... of the energy per free neutron W(k) = c_1 k + c_2 k^2 + ... (MeV, k in fm^-1), by name:
of Mackie & Baym (1977), as in CS20, and of neutrons that do not interact."""


class Matter(NamedTuple):
    """What the equation of state depends on besides composition and density; a pytree of arrays."""

    neutron: ArrayLike | tuple[float, ...] = NEUTRON_MATTER["mackie-baym"]
    """(m,) coefficients of W(k), as in NEUTRON_MATTER; any polynomial may stand here."""
    lattice: Numbers = 0.0
    """Strength of the lattice term: 0 without (as in CS20), 1 with."""


class Mixture(NamedTuple):
    """The three sums over a composition that the equation of state needs, per baryon."""

    Y_e: Numbers
    """Electrons, sum Z_i Y_i."""
    Y_n: Numbers
    """Free neutrons."""
    Y_z53: Numbers
    """sum Z_i^(5/3) Y_i; used by the lattice term alone."""


@jax.custom_jvp
def _positive_cube_root(x: Array) -> Array:
    """x^(1/3) for normal x > 0, to rounding.

    Ten times faster on a CPU than the library's: a third of the exponent by the bit pattern (to 3 per cent), two steps
    of Halley's and one of Newton's method, all of which vectorise. Affinities need hundreds of cube roots a step.
    """
    third = jax.lax.bitcast_convert_type(x, jnp.int64).astype(x.dtype) / 3 + 3.0713997e18
    y = jax.lax.bitcast_convert_type(third.astype(jnp.int64), x.dtype)
    for _ in range(2):
        y3 = y * y * y
        y = y * (y3 + 2 * x) / (2 * y3 + x)
    return y - (y * y * y - x) / (3 * y * y)


@_positive_cube_root.defjvp
def _positive_cube_root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    y: Array = _positive_cube_root(x)
    return y, dx * y / (3 * x)


@jax.jit
def cube_root(x: Numbers) -> Floats:
    """x^(1/3) for x >= 0, with derivative 0 (not infinity) at x = 0, where it only ever multiplies zeros.

    Jitted so that programs, which use it a hundred times, trace it once.
    """
    x = jnp.asarray(x, dtype=float)
    # 0 * x keeps what is not a number so
    return jnp.where(x > 0, _positive_cube_root(jnp.where(x > 0, x, 1.0)), 0.0 * x)


@needs_x64
def electron_fermi_momentum(n_e: Numbers) -> Floats:
    """k_F = (3 pi^2 n_e)^(1/3), fm^-1."""
    k_F: Floats = cube_root(3 * jnp.pi**2 * jnp.asarray(n_e))
    return k_F


@needs_x64
def electron_chemical_potential(n_e: Numbers) -> Floats:
    """mu_e = sqrt((hbar c k_F)^2 + m_e^2), MeV, with rest mass."""
    return jnp.hypot(HBAR_C * electron_fermi_momentum(n_e), ELECTRON_MASS)


@needs_x64
def electron_density(mu_e: Numbers) -> Floats:
    """n_e of electrons with chemical potential mu_e >= m_e, fm^-3: the inverse of electron_chemical_potential."""
    mu_e = jnp.asarray(mu_e)
    return ((mu_e - ELECTRON_MASS) * (mu_e + ELECTRON_MASS)) ** 1.5 / (3 * jnp.pi**2 * HBAR_C**3)


@needs_x64
def electron_pressure(n_e: Numbers) -> Floats:
    """P_e of free degenerate electrons of any relativity, MeV fm^-3.

    P_e = m_e^4/(8 pi^2 (hbar c)^3) [x (2x^2/3 - 1) sqrt(1 + x^2) + asinh x], x = hbar c k_F/m_e.
    """
    x = HBAR_C * electron_fermi_momentum(n_e) / ELECTRON_MASS
    scale = ELECTRON_MASS**4 / (8 * jnp.pi**2 * HBAR_C**3)
    return scale * (x * (2 * x**2 / 3 - 1) * jnp.sqrt(1 + x**2) + jnp.arcsinh(x))


@needs_x64
def electron_energy_density(n_e: Numbers) -> Floats:
    """eps_e = n_e mu_e - P_e, MeV fm^-3, with rest mass."""
    return jnp.asarray(n_e) * electron_chemical_potential(n_e) - electron_pressure(n_e)


@needs_x64
def electron_stiffness(n_e: Numbers) -> Floats:
    """n_e dmu_e/dn_e = (hbar c k_F)^2/(3 mu_e), MeV."""
    return (HBAR_C * electron_fermi_momentum(n_e)) ** 2 / (3 * electron_chemical_potential(n_e))


@needs_x64
def neutron_wave_number(n_n: Numbers) -> Floats:
    """k = (1.5 pi^2 n_n)^(1/3), fm^-1, the variable of Mackie & Baym's W(k)."""
    k: Floats = cube_root(1.5 * jnp.pi**2 * jnp.asarray(n_n))
    return k


def _powers_sum(k: Array, coefficients: list[Array]) -> Array:
    """sum_j coefficients[j-1] k^j, j = 1..m, by Horner's rule."""
    total = jnp.zeros_like(k)
    for c in reversed(coefficients):
        total = (total + c) * k
    return total


def _coefficients(matter: Matter) -> list[Array]:
    """c_1, c_2, ... of W(k), one scalar each."""
    neutron = jnp.asarray(matter.neutron)
    return [neutron[j] for j in range(neutron.shape[0])]


@needs_x64
def neutron_energy(n_n: Numbers, matter: Matter) -> Floats:
    """W(k), energy per free neutron without rest mass, MeV."""
    return _powers_sum(neutron_wave_number(n_n), _coefficients(matter))


@needs_x64
def neutron_chemical_potential(n_n: Numbers, matter: Matter) -> Floats:
    """mu_n - m_n = W + (k/3) W', MeV, without rest mass."""
    c = _coefficients(matter)
    return _powers_sum(neutron_wave_number(n_n), [cj * (1 + j / 3) for j, cj in enumerate(c, 1)])


@needs_x64
def neutron_pressure(n_n: Numbers, matter: Matter) -> Floats:
    """P_n = n_n (k/3) W', MeV fm^-3."""
    c = _coefficients(matter)
    return jnp.asarray(n_n) * _powers_sum(neutron_wave_number(n_n), [cj * (j / 3) for j, cj in enumerate(c, 1)])


@needs_x64
def neutron_energy_density(n_n: Numbers, matter: Matter) -> Floats:
    """eps_n = n_n W, MeV fm^-3, without rest mass."""
    return jnp.asarray(n_n) * neutron_energy(n_n, matter)


@needs_x64
def neutron_stiffness(n_n: Numbers, matter: Matter) -> Floats:
    """n_n dmu_n/dn_n = (k/3) dmu_n/dk, MeV; finite (zero) at n_n = 0, where dmu_n/dn_n is not."""
    c = _coefficients(matter)
    return _powers_sum(neutron_wave_number(n_n), [cj * (1 + j / 3) * (j / 3) for j, cj in enumerate(c, 1)])


@needs_x64
def lattice_energy_density(n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """eps_L = -MADELUNG e^2 n_e^(1/3) sum_i n_i Z_i^(5/3), MeV fm^-3 (times matter.lattice)."""
    n_b, strength = jnp.asarray(n_b), jnp.asarray(matter.lattice)
    root: Floats = cube_root(n_b * mixture.Y_e)
    return -MADELUNG * COULOMB * strength * root * n_b * mixture.Y_z53


@needs_x64
def energy_density(n_b: Numbers, mixture: Mixture, mass_of_nuclei: Numbers, matter: Matter) -> Floats:
    """Eq. 1: eps = sum_a n_a m_a + eps_e + eps_n + eps_L, MeV fm^-3, with the rest masses of all particles.

    mass_of_nuclei: sum_a Y_a m_a, MeV per baryon. CS20 leave out eps_L, which matter.lattice = 0 does.
    """
    n_b = jnp.asarray(n_b)
    n_n = n_b * mixture.Y_n
    return (
        n_b * mass_of_nuclei
        + electron_energy_density(n_b * mixture.Y_e)
        + n_n * (ATOMIC_MASS_UNIT + NEUTRON_EXCESS)
        + neutron_energy_density(n_n, matter)
        + lattice_energy_density(n_b, mixture, matter)
    )


@needs_x64
def pressure(n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """P = -d(eps V)/dV = P_e + P_n + P_L with P_L = eps_L/3, MeV fm^-3, of the energy in CS20's eq. 1."""
    return (
        electron_pressure(n_b * jnp.asarray(mixture.Y_e))
        + neutron_pressure(n_b * jnp.asarray(mixture.Y_n), matter)
        + lattice_energy_density(n_b, mixture, matter) / 3
    )


@needs_x64
def pressure_slope(n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """dP/dln n_b at frozen composition = n_e^2 mu_e' + n_n^2 mu_n' + (4/9) eps_L, MeV fm^-3."""
    n_b = jnp.asarray(n_b)
    n_e, n_n = n_b * mixture.Y_e, n_b * mixture.Y_n
    return (
        n_e * electron_stiffness(n_e)
        + n_n * neutron_stiffness(n_n, matter)
        + (4 / 9) * lattice_energy_density(n_b, mixture, matter)
    )


@needs_x64
def electron_share(n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """dP_e/dP_ei at frozen composition, P_ei = P_e + P_L: 1 without the lattice, and a few per cent more with it."""
    n_b = jnp.asarray(n_b)
    n_e = n_b * mixture.Y_e
    dP_e = n_e * electron_stiffness(n_e)
    return dP_e / (dP_e + (4 / 9) * lattice_energy_density(n_b, mixture, matter))


@needs_x64
def density_at_pressure(
    P: Numbers, mixture: Mixture, matter: Matter, n_b_guess: Numbers, iterations: int = 5
) -> Floats:
    """n_b at which the mixture has pressure P, fm^-3: Newton's method for ln P as a function of ln n_b.

    Five iterations reach rounding from a guess within ten per cent; `cold_density_guess` and 12 from anywhere.
    Derivatives are those of the implicit function theorem: the iterations carry none, one last step does.
    """

    def step(n_b: Array) -> Array:
        P_now = pressure(n_b, mixture, matter)
        slope = jax.lax.stop_gradient(pressure_slope(n_b, mixture, matter) / P_now)
        return n_b * jnp.exp(jnp.log(P / P_now) / slope)

    n_b = jnp.asarray(n_b_guess)
    for _ in range(iterations - 1):
        n_b = step(n_b)
    return step(jax.lax.stop_gradient(n_b))


@needs_x64
def cold_density_guess(P: Numbers, Y_e: Numbers) -> Floats:
    """n_b of ultra-relativistic electrons alone, P = (3 pi^2)^(1/3) hbar c n_e^(4/3)/4, fm^-3: a first guess."""
    return (4 * jnp.asarray(P) / (HBAR_C * FERMI)) ** 0.75 / Y_e
