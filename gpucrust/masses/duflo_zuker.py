"""DZ31, the mass formula of Duflo & Zuker, Phys. Rev. C 52 (1995) R23, in the 33-coefficient form of the code dz31.

See also Mendoza-Temis, Hirsch & Zuker, Nucl. Phys. A 843 (2010) 14. Only the spherical branch is built, which is
exact for Z <= 50; and nothing below Z = 6 or N = 6, where the formula binds nuclides that do not exist.

Neutrons and protons each fill subshells i = 1, 2, 3, ... of the oscillator shells p = (i-1)//2: an odd i has
i + 1 places, an even i has i (i-2)/4. What depends on the number n of one fluid alone is tabulated over n once;
binding energy is linear in the coefficients, so derivatives with respect to them are exact.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.support.persistent_jit import kept
from gpucrust.support.precision import needs_x64

Z_RANGE = (6, 50)
"""Smallest and largest charge number: among lighter nuclides the formula binds what does not exist, and heavier ones
may be deformed, a branch that is not built."""

N_RANGE = (6, 160)
"""Smallest and largest neutron number: the smallest as of the charge, the largest is the edge of the chart."""

SHELLS = 9
"""Number of oscillator shells, p = 0..8: they hold more than the 160 particles of N_RANGE."""

HYDROGEN_EXCESS, NEUTRON_EXCESS = 7.28897, 8.07132
"""Mass excesses of the hydrogen atom and the neutron with which the coefficients were fitted, MeV."""

_PUBLISHED = {
    "FM+": 9.0914,
    "fm+": 6.3355,
    "FS+": 4.5791,
    "fs+": 19.8946,
    "FS-": 1.7325,
    "fs-": 7.5247,
    "FC+": -7.1953,
    "fc+": -39.9787,
    "PM+": -0.3976,
    "pm+": 0.8131,
    "PS+": -0.7435,
    "ps+": -3.7291,
    "PS-": -0.1305,
    "ps-": -0.6387,
    "S3": 0.4534,
    "s3": 2.0605,
    "SQ": 0.3449,
    "sq": 1.4727,
    "D3": -1.0433,
    "d3": 0.0,
    "QQ+": 5.2495,
    "qq+": 0.0,
    "D0": -32.1007,
    "d0": -151.1164,
    "QQ-": -4.6103,
    "qq-": -32.4238,
    "TT": -37.3226,
    "tt": -52.1673,
    "SS": 0.9597,
    "ss": 3.0024,
    "C": 0.6977,
    "P0": 6.0390,
    "P1": 17.7960,
}

DZ31_NAMES: tuple[str, ...] = tuple(_PUBLISHED)
"""Names of the 33 coefficients in their published order; capitals multiply T/ra, small letters -T/ra^2."""

DZ31_COEFFICIENTS = np.array(list(_PUBLISHED.values()))
"""(33,) Coefficients in the order of DZ31_NAMES, MeV; float64, read-only."""
DZ31_COEFFICIENTS.setflags(write=False)

DZ31_DEFORMED_NAMES = ("D3", "d3", "QQ+", "qq+", "D0", "d0", "QQ-", "qq-")
"""Names of the eight coefficients of the deformed branch: part of the published set, they do nothing for Z <= 50."""


class Fluid(NamedTuple):
    """What DZ31 needs to know of the particles of one kind in nuclides of any shape (...)."""

    a: Array
    """(..., 9) Sum of occupations of shell p over sqrt((p+1)(p+2)), a_p."""
    b: Array
    """(..., 9) Sum of c_i times occupations of the subshells i of shell p, b_p."""
    spin_orbit: Array
    """(...) Share of this fluid in the spin-orbit term SS."""
    cubic: Array
    """(...) Share of this fluid in the cubic term S3."""
    quadratic: Array
    """(...) v(D-v)/D of the v valence particles in D places; the term SQ is 4 times the product of both fluids'."""
    last_even: Array
    """(...) 1 where the last particle sits in an even subshell, else 0; both fluids' go into the term P1."""


_SHELL = np.arange(SHELLS)
"""(9,) Number p of each shell."""

_ROOT = np.sqrt((_SHELL + 1) * (_SHELL + 2))
"""(9,) Weight w_p = sqrt((p+1)(p+2)) of each shell."""


# --- one fluid, tabulated


def _subshells(n: int) -> Iterator[tuple[int, int, int]]:
    """(i, p, occupation) of each subshell up to the open one, which is last and may hold no particle."""
    i, left = 1, n
    while True:
        size = i + 1 if i % 2 else i * (i - 2) // 4
        yield i, (i - 1) // 2, min(size, left)
        if left < size:
            return
        left -= size
        i += 1


def _monopole_weight(i: int, p: int) -> float:
    """c_i: p/(2(p+1)) for an odd subshell, -1/(p+1) for an even one."""
    return p / (2 * (p + 1)) if i % 2 else -1 / (p + 1)


def _spin_orbit_share(p: int, occupation: int) -> float:
    """s_i (a_p + b_p of this odd subshell alone) for p > 2: rising until p(p-1) particles, then falling."""
    places = p * (p - 1)
    below, above = min(occupation, places), max(occupation - places, 0)
    s = below * (p - 1) / (2 * p) - above / p
    return s * occupation * (1 / float(_ROOT[p]) + _monopole_weight(2 * p + 1, p))


def _valence(i: int, p: int, m: int) -> tuple[int, int]:
    """(v, D), valence particles and places in the open subshell i of shell p with m particles in it."""
    return (m + p * (p - 1), p * (p + 1) + 2) if i % 2 else (m, (p + 1) * (p + 2) + 2)


def _fluid(n: int) -> tuple[np.ndarray, np.ndarray, float, float, float, float]:
    """The fields of `Fluid` for n particles."""
    a, b, spin_orbit = np.zeros(SHELLS), np.zeros(SHELLS), 0.0
    last_even = False
    for i, p, occupation in _subshells(n):
        a[p] += occupation / _ROOT[p]
        b[p] += occupation * _monopole_weight(i, p)
        if i % 2 and p > 2:
            spin_orbit += _spin_orbit_share(p, occupation)
        if occupation > 0:
            last_even = i % 2 == 0
    v, D = _valence(i, p, occupation)  # the last one is the open one
    cubic = v * (D - v) * (2 * v - D) / D
    return a, b, spin_orbit, cubic, v * (D - v) / D, float(last_even)


_BY_NUMBER = [np.array(column) for column in zip(*map(_fluid, range(N_RANGE[1] + 1)), strict=True)]
"""Fields of `Fluid` for n = 0..160 particles, each an array over n."""


# --- the terms, each an array of the nuclides' shape (...)


def _gather(n: Array) -> Fluid:
    return Fluid(*(jnp.asarray(column)[n] for column in _BY_NUMBER))


def _roots(like: Array) -> Array:
    """w_p along the last axis of an array of the same shape."""
    return jnp.broadcast_to(jnp.asarray(_ROOT), like.shape)


def _square_of_sum(x: Array) -> Array:
    """(sum_p x_p)^2: FM of a, FS of b."""
    return jnp.sum(x, -1) ** 2


def _sum_of_squares(x: Array) -> Array:
    """sum_p x_p^2 w_p: PM of a, PS of b."""
    return jnp.sum(x**2 * _roots(x), -1)


def _cross(a: Array, b: Array) -> Array:
    """FC = (sum_p a_p/w_p)(sum_p b_p/w_p)."""
    return jnp.sum(a / _roots(a), -1) * jnp.sum(b / _roots(b), -1)


def _plus_minus(term: Callable[..., Array], *pairs: tuple[Array, Array]) -> tuple[Array, Array]:
    """(X0 + X1, X0 - X1) with X0 of the sums and X1 of the differences of the two fluids."""
    X0 = term(*(neutrons + protons for neutrons, protons in pairs))
    X1 = term(*(neutrons - protons for neutrons, protons in pairs))
    return X0 + X1, X0 - X1


def _radius(A: Array, t: Array) -> tuple[Array, Array]:
    """(rc, ra): rc = A^(1/3) (1 - t^2/(4 A^2)), ra = rc^2/A^(1/3)."""
    r = jnp.cbrt(A)
    rc = r * (1 - t**2 / (4 * A**2))
    return rc, rc**2 / r


def _symmetry(A: Array, t: Array) -> Array:
    """TT = t(t+2)/A^(2/3)."""
    return t * (t + 2) / jnp.cbrt(A) ** 2


def _coulomb(Z: Array, rc: Array) -> Array:
    """(-z + 0.76 z^(2/3))/rc with z = Z(Z-1)."""
    Z = Z.astype(float)
    z = Z * (Z - 1)
    return (-z + 0.76 * jnp.cbrt(z) ** 2) / rc


def _pairing_surface(Z: Array, N: Array, A: Array, t: Array, ra: Array) -> Array:
    """P0 = -2/ra + 1/ra - t/(ra A) for each even fluid, less t/(ra A) if the larger is even and the other odd."""
    even = (N % 2 == 0).astype(float) + (Z % 2 == 0).astype(float)
    larger, smaller = jnp.where(N >= Z, N, Z), jnp.where(N >= Z, Z, N)
    mismatch = (larger % 2 == 0) & (smaller % 2 == 1)
    return (even - 2) / ra - (even + mismatch.astype(float)) * t / (ra * A)


def _main_terms(Z: Array, N: Array) -> Array:
    """(..., 15) the terms T that enter as (T/ra) c - (T/ra^2) c', in the order of the coefficients."""
    A, t = (Z + N).astype(float), jnp.abs(N - Z).astype(float)
    neutrons, protons = _gather(N), _gather(Z)
    a, b = (neutrons.a, protons.a), (neutrons.b, protons.b)
    FM_plus, _ = _plus_minus(_square_of_sum, a)
    FS_plus, FS_minus = _plus_minus(_square_of_sum, b)
    FC_plus, _ = _plus_minus(_cross, a, b)
    PM_plus, _ = _plus_minus(_sum_of_squares, a)
    PS_plus, PS_minus = _plus_minus(_sum_of_squares, b)
    S3 = neutrons.cubic + protons.cubic
    SQ = 4 * neutrons.quadratic * protons.quadratic
    D3 = QQ_plus = D0 = QQ_minus = jnp.zeros_like(S3)  # spherical: the deformed branch begins beyond Z = 50
    TT = _symmetry(A, t)
    SS = neutrons.spin_orbit + protons.spin_orbit
    terms = [FM_plus, FS_plus, FS_minus, FC_plus, PM_plus, PS_plus, PS_minus, S3, SQ, D3, QQ_plus, D0, QQ_minus, TT, SS]
    return jnp.stack(terms, -1)


# --- the formula, jitted because one by one its hundred small operations take seconds to dispatch


def _inside(Z: Array, N: Array) -> Array:
    """Whether Z and N are within Z_RANGE and N_RANGE."""
    return (jnp.clip(Z, *Z_RANGE) == Z) & (jnp.clip(N, *N_RANGE) == N)


@needs_x64
@jax.jit
def binding_terms(Z: ArrayLike, N: ArrayLike) -> Array:
    """(..., 33) the derivative of the binding energy by each coefficient: B = sum_k coefficient_k term_k.

    Z and N are integers of broadcastable shapes; 0 outside Z 6..50, N 6..160. TypeError for other numbers.
    """
    Z, N = jnp.broadcast_arrays(jnp.asarray(Z), jnp.asarray(N))
    for values in (Z, N):
        if not jnp.issubdtype(values.dtype, jnp.integer):
            raise TypeError(f"Z and N count particles: they must be integers, not {values.dtype}")
    inside = _inside(Z, N)
    # nuclides outside are computed at the nearest edge, where nothing is divided by zero
    Z, N = jnp.clip(Z, *Z_RANGE), jnp.clip(N, *N_RANGE)
    A, t = (Z + N).astype(float), jnp.abs(N - Z).astype(float)
    rc, ra = _radius(A, t)
    main = _main_terms(Z, N) / ra[..., None]
    pairs = jnp.stack([main, -main / ra[..., None]], -1).reshape(*Z.shape, -1)
    last_even = _gather(N).last_even + _gather(Z).last_even
    others = jnp.stack([_coulomb(Z, rc), _pairing_surface(Z, N, A, t, ra), last_even / A], -1)
    return jnp.where(inside[..., None], jnp.concatenate([pairs, others], -1), 0.0)


@needs_x64
@kept
def duflo_zuker(Z: ArrayLike, N: ArrayLike, coefficients: ArrayLike = DZ31_COEFFICIENTS) -> Array:
    """Atomic mass excess of DZ31, MeV: 7.28897 Z + 8.07132 N - B(Z, N).

    Z, N: integers of broadcastable shapes, Z 6..50 and N 6..160 (NaN elsewhere); coefficients: (33,), MeV, as
    named in DZ31_NAMES. Differentiable with respect to the coefficients.
    """
    Z, N = jnp.broadcast_arrays(jnp.asarray(Z), jnp.asarray(N))
    B = binding_terms(Z, N) @ jnp.asarray(coefficients)
    nucleons = HYDROGEN_EXCESS * Z.astype(float) + NEUTRON_EXCESS * N.astype(float)
    return jnp.where(_inside(Z, N), nucleons - B, jnp.nan)
