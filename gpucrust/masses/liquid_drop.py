"""A compressible liquid drop after Mackie & Baym, Nucl. Phys. A 285 (1977) 332, refitted: the model `MB-refit`.

The energy of a drop of Z protons and N neutrons at the density n_in is

    A w(n_in, x) + 4 pi R^2 sigma(x) + E_Coulomb(Z, R),  A = Z + N, x = Z/A, 4 pi R^3 n_in/3 = A,

least at the relaxed density; pairing and a Wigner term, which do not depend on n_in, come on top. Neutron matter is
Mackie & Baym's W(k). Their other constants and the exact form of their terms could not be found in open data: ours
are of the same kind, and MB_REFIT is what scripts/fit_liquid_drop.py makes of them. There are no shells.

Every function is elementwise (any broadcastable shapes) and differentiable in the constants.
Units: MeV, fm, fm^-3.
"""

import math
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.constants import COULOMB, NEUTRON_EXCESS
from gpucrust.masses.tables import MassTableError
from gpucrust.physics import eos
from gpucrust.support.precision import needs_x64
from gpucrust.support.textfile import read_text

PROTON_EXCESS = 6.77798574
"""Mass of the proton less m_u, MeV (CODATA 2018)."""

CITATION = (
    "MB-refit: compressible liquid drop after F. D. Mackie, G. Baym, Nucl. Phys. A 285 (1977) 332, refitted to AME2016 "
    "and to thresholds of P. Haensel, J. L. Zdunik, Astron. Astrophys. 227 (1990) 431"
)
"""Source of the model, as datasets cite it."""

NEUTRONS = eos.Matter()
"""Neutron matter of drops and of the gas around them, Mackie & Baym's W(k)."""

LEAST_DENSITY = 0.5
"""Least density of a drop over n_0, below the spinodal of symmetric matter (0.64 n_0).

Without it drops with hardly a proton have no minimum but that of a puff of neutron gas; with it every drop has one
minimum, for from here on the energy of each is convex in ln n_in. MB_REFIT's drops are held back only where N > 7 Z or
Z > 5 N, far beyond anything bound; the energy is continuous there, with its first derivatives."""

CHART_Z, CHART_N = np.arange(61)[:, None], np.arange(161)[None]
"""Charge and neutron numbers of the chart, (61, 1) and (1, 161)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LiquidDropConstants:
    """The constants of the drop; a pytree, so that JAX differentiates with respect to every one of them."""

    saturation_density: float
    """n_0 of symmetric matter, fm^-3."""
    binding: float
    """w_0, MeV per nucleon of symmetric matter at n_0."""
    incompressibility: float
    """K = 9 n^2 d^2w/dn^2 of symmetric matter at n_0, MeV."""
    surface_tension: float
    """sigma_0 of symmetric matter, MeV fm^-2."""
    tension_exponent: float
    """p of sigma(x): how fast the tension falls where protons are few."""
    tension_offset: float
    """b of sigma(x): the smaller, the faster it falls near symmetry."""
    diffuseness: float
    """a of the charge's surface, exp((r - R)/a), fm."""
    pairing: float
    """a_p, MeV."""
    wigner: float
    """V_W, MeV."""
    wigner_width: float
    """lambda: the Wigner term is over at |N - Z|/A of lambda^(-1/2)."""

    @classmethod
    def from_toml(cls, path: Path | str) -> "LiquidDropConstants":
        """MB_REFIT with the constants that a TOML file gives (`binding = 16.0`, ...) in place of its own.

        Raises MassTableError, one line, for a file that cannot be read, a key that is none of the constants, and a
        value that is no finite number, is negative, or is zero where the drop cannot do without.
        """
        try:
            given = tomllib.loads(read_text(Path(path)))
        except (ValueError, RecursionError) as error:  # not TOML, or not text
            raise MassTableError(f"{path}: {' '.join(str(error).split())}") from None
        allowed = [field.name for field in fields(cls)]
        for name, value in given.items():
            if name not in allowed:
                raise MassTableError(f"{path}: unknown constant '{name}'; known: {', '.join(allowed)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
                raise MassTableError(f"{path}: {name} = {value!r} is not a finite number")
            if value < 0 or (value == 0 and name not in MAY_VANISH):
                raise MassTableError(f"{path}: {name} = {value!r} is not positive")
        return replace(MB_REFIT, **{name: float(value) for name, value in given.items()})

    def to_toml(self) -> str:
        """The constants as lines of a file that `from_toml` reads."""
        return "".join(f"{name} = {float(value):.6g}\n" for name, value in asdict(self).items())


LARGEST = 1e300
"""Limit of a constant in a TOML file, which may also hold inf, nan, and integers beyond float64."""

MAY_VANISH = ("diffuseness", "pairing", "wigner", "wigner_width")
"""Constants that may be zero: those of terms that a drop can do without."""

MB_REFIT = LiquidDropConstants(
    saturation_density=0.155531,
    binding=16.2715,
    incompressibility=230.0,
    surface_tension=1.33704,
    tension_exponent=2.4582,
    tension_offset=6.64483,
    diffuseness=0.550206,
    pairing=11.4994,
    wigner=5.43602,
    wigner_width=157.515,
)
"""Constants of the model, fitted to AME2016 and to six thresholds of Haensel & Zdunik (1990) at an incompressibility of
230 MeV: see scripts/fit_liquid_drop.py."""


# --- the terms


@needs_x64
def symmetric_matter_energy(n: ArrayLike, constants: LiquidDropConstants) -> Array:
    """w_s(n) = -w_0 [(3 + c) t^2 - (2 + 2c) t^3 + c t^4], t = (n/n_0)^(1/3), c = 3 - K/(2 w_0); MeV per nucleon.

    The polynomial in k, without a linear term, that has its minimum -w_0 at n_0 with incompressibility K.
    """
    c = 3 - constants.incompressibility / (2 * constants.binding)
    t: Array = eos.cube_root(n / jnp.asarray(constants.saturation_density))
    return -constants.binding * t**2 * (3 + c - (2 + 2 * c) * t + c * t**2)


@needs_x64
def bulk_energy(n: ArrayLike, x: ArrayLike, constants: LiquidDropConstants) -> Array:
    """w(n, x) = w_s(n) + (1 - 2x)^2 [W(k) - w_s(n)], MeV per nucleon: x = 1/2 symmetric, x = 0 neutron matter."""
    symmetric = symmetric_matter_energy(n, constants)
    return symmetric + (1 - 2 * jnp.asarray(x)) ** 2 * (eos.neutron_energy(n, NEUTRONS) - symmetric)


@needs_x64
def surface_tension(x: ArrayLike, constants: LiquidDropConstants) -> Array:
    """sigma(x) = sigma_0 (2^(p+1) + b)/(x^-p + b + (1-x)^-p), MeV fm^-2.

    Ravenhall, Pethick & Lattimer, Nucl. Phys. A 407 (1983) 571 (with p = 3): it vanishes with the protons, as a
    surface between neutron matter and neutron gas must. Written so that it is finite at x = 0 and 1.
    """
    p, b = constants.tension_exponent, constants.tension_offset
    xp, yp = jnp.power(x, p), jnp.power(1 - jnp.asarray(x), p)
    return constants.surface_tension * (2 ** (p + 1) + b) * xp * yp / (xp + b * xp * yp + yp)


@needs_x64
def coulomb_energy(Z: ArrayLike, R: ArrayLike, constants: LiquidDropConstants) -> Array:
    """(3/5) Z^2 e^2/R - (3/4) (3/2 pi)^(2/3) Z^(4/3) e^2/R - (pi^2/2) a^2 Z^2 e^2/R^3, MeV.

    A uniform sphere, less the exchange energy of its protons and what the thickness of its surface takes off
    (Myers & Swiatecki, Nucl. Phys. 81 (1966) 1).
    """
    Z, R = jnp.asarray(Z, float), jnp.asarray(R)
    root: Array = eos.cube_root(Z)
    direct = 0.6 * Z**2 / R
    exchange: Array = 0.75 * (1.5 / jnp.pi) ** (2 / 3) * root**4 / R
    thickness = jnp.pi**2 / 2 * constants.diffuseness**2 * Z**2 / R**3
    return COULOMB * (direct - exchange - thickness)


@needs_x64
def pairing_energy(Z: ArrayLike, N: ArrayLike, constants: LiquidDropConstants) -> Array:
    """-a_p/sqrt(A) for even Z and N, nothing for odd A, +a_p/sqrt(A) for odd Z and N; MeV."""
    Z, N = jnp.asarray(Z, float), jnp.asarray(N, float)
    odd_numbers = jnp.mod(Z, 2) + jnp.mod(N, 2)
    return constants.pairing * (odd_numbers - 1) / jnp.sqrt(Z + N)


@needs_x64
def wigner_energy(Z: ArrayLike, N: ArrayLike, constants: LiquidDropConstants) -> Array:
    """-V_W exp(-lambda ((N - Z)/A)^2), MeV: of pairs of neutrons and protons near N = Z.

    Goriely et al., Phys. Rev. C 66 (2002) 024326, the first of their two terms. Without it the rms is 0.15 MeV larger.
    """
    Z, N = jnp.asarray(Z, float), jnp.asarray(N, float)
    return -constants.wigner * jnp.exp(-constants.wigner_width * ((N - Z) / (Z + N)) ** 2)


@needs_x64
def drop_energy(
    n_in: ArrayLike, Z: ArrayLike, N: ArrayLike, constants: LiquidDropConstants, n_n_outside: ArrayLike = 0.0
) -> Array:
    """Bulk, surface and Coulomb energy of a drop of density n_in, MeV: what relaxation makes least.

    In a gas of free neutrons of density n_n_outside the surface energy falls by the factor 1 - n_n_outside/n_in, as the
    difference of the two phases does, and the work P_n V of making room in the gas is added: the energy it takes to
    put the drop there at fixed mu_n. Only for n_n_outside < n_in.
    """
    Z, N = jnp.asarray(Z, float), jnp.asarray(N, float)
    A = Z + N
    x = Z / A
    V = A / n_in
    R: Array = eos.cube_root(3 * V / (4 * jnp.pi))
    surface = 4 * jnp.pi * R**2 * surface_tension(x, constants) * (1 - n_n_outside / jnp.asarray(n_in))
    room = eos.neutron_pressure(n_n_outside, NEUTRONS) * V
    return A * bulk_energy(n_in, x, constants) + surface + coulomb_energy(Z, R, constants) + room


# --- the nuclide


@needs_x64
@partial(jax.jit, static_argnames="iterations")
def relaxed_density(
    Z: ArrayLike, N: ArrayLike, constants: LiquidDropConstants, n_n_outside: ArrayLike = 0.0, iterations: int = 8
) -> Array:
    """n_in that makes the drop's energy least, but not below LEAST_DENSITY times n_0; fm^-3.

    Newton's method in ln n_in from n_0, where the energy is convex: eight iterations reach rounding all over the
    chart. Derivatives are those of the implicit function theorem: the iterations carry none, one last step does.
    """
    one = jnp.ones(jnp.broadcast_shapes(jnp.shape(Z), jnp.shape(N), jnp.shape(n_n_outside)))

    def step(y: Array, Z: ArrayLike, N: ArrayLike, constants: LiquidDropConstants, n_n_outside: ArrayLike) -> Array:
        def energy(y: Array) -> Array:
            return drop_energy(constants.saturation_density * jnp.exp(y), Z, N, constants, n_n_outside)

        force, stiffness = jax.jvp(lambda y: jax.jvp(energy, (y,), (one,))[1], (y,), (one,))
        return jnp.maximum(y - force / jax.lax.stop_gradient(stiffness), math.log(LEAST_DENSITY))

    given = (Z, N, constants, n_n_outside)
    underived = jax.lax.stop_gradient(given)
    y = jax.lax.fori_loop(0, iterations - 1, lambda _, y: step(y, *underived), jnp.zeros_like(one))
    return constants.saturation_density * jnp.exp(step(y, *given))


@needs_x64
@jax.jit
def liquid_drop_mass_excess(
    Z: ArrayLike, N: ArrayLike, constants: LiquidDropConstants = MB_REFIT, n_n_outside: ArrayLike = 0.0
) -> Array:
    """E = M(Z,A) - A m_u of the bare nucleus, MeV: what charts hold. The atomic mass excess is E + Z m_e - B_el(Z).

    For any Z >= 1 and N >= 0, bound or not. n_n_outside (fm^-3): free neutrons around it, see `drop_energy`; 0, as
    in CS20, is the nucleus in vacuum.
    """
    n_in = relaxed_density(Z, N, constants, n_n_outside)
    return (
        jnp.asarray(Z, float) * PROTON_EXCESS
        + jnp.asarray(N, float) * NEUTRON_EXCESS
        + drop_energy(n_in, Z, N, constants, n_n_outside)
        + pairing_energy(Z, N, constants)
        + wigner_energy(Z, N, constants)
    )


def liquid_drop_chart(constants: LiquidDropConstants = MB_REFIT) -> np.ndarray:
    """(61,161) of E = M(Z,A) - A m_u, MeV, for Z 2..60 and N 1..160; NaN elsewhere.

    Rounded to 1 eV: a GPU and a CPU differ in the last bits, and a run must not depend on where it began.
    """
    with jax.enable_x64(True):
        chart = np.asarray(liquid_drop_mass_excess(np.maximum(CHART_Z, 1), CHART_N, constants)).round(6)
    return np.where((CHART_Z >= 2) & (CHART_N >= 1), chart, np.nan)
