"""A plain scalar threshold-search stepper, written from the rules alone to check the engine against."""

from dataclasses import dataclass
from math import asin, asinh, exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from gpucrust.constants import (
    ATOMIC_MASS_UNIT,
    COULOMB,
    DYN_PER_CM2,
    ELECTRON_MASS,
    FM3_PER_CM3,
    HBAR_C,
    NEUTRON_EXCESS,
    RHO_PER_N_B,
)

DZ = np.array([0, 0, 0, 0] + [-1] * 7 + [1])
DK = np.array([1, 2, -1, -2, 0, 1, 2, 3, 4, 5, 6, 0])
CLASS = np.array([0, 0, 1, 1] + [2] * 8)
FUSION = 12
COLUMNS = 161  # of the chart: a nuclide's code is Z * 161 + N
G_ALLOWED, G_LANDED, LN_LANDED, LANDING_SLACK = -1e-5, -1.0001e-5, -1e-9, 1e-10
Y_REACTS, Y_DROPPED, GUARD = 1e-12, 1e-15, 3.0

# ---------------------------------------------------------------------------------------------- equation of state


@njit(cache=True)
def electrons(n_e):
    """mu_e (with rest mass), P_e and n_e dmu_e/dn_e."""
    x = HBAR_C * (3 * pi**2 * n_e) ** (1 / 3) / ELECTRON_MASS
    root = sqrt(1 + x * x)
    P = ELECTRON_MASS**4 / (24 * pi**2 * HBAR_C**3) * (x * (2 * x * x - 3) * root + 3 * asinh(x))
    return ELECTRON_MASS * root, P, ELECTRON_MASS * x * x / (3 * root)


@njit(cache=True)
def neutrons(n_n, c):
    """mu_n (without rest mass), P_n and n_n dmu_n/dn_n; c are the coefficients of W(k)."""
    k = (1.5 * pi**2 * n_n) ** (1 / 3)
    mu = slope = kW = 0.0
    for i in range(4):
        term = c[i] * k ** (i + 1)
        mu += term * (1 + (i + 1) / 3)
        slope += term * (1 + (i + 1) / 3) * (i + 1) / 3
        kW += term * (i + 1) / 3
    return mu, n_n * kW, slope


@njit(cache=True)
def pressure(n_b, Y_e, Y_n, c):
    return electrons(n_b * Y_e)[1] + neutrons(n_b * Y_n, c)[1]


@njit(cache=True)
def solve_density(P, Y_e, Y_n, c, n_b):
    """n_b at P to rounding: Newton in ln n_b, until the steps no longer shrink."""
    last = np.inf
    for _ in range(100):
        P_b = electrons(n_b * Y_e)[2] * Y_e + neutrons(n_b * Y_n, c)[2] * Y_n
        step = (P - pressure(n_b, Y_e, Y_n, c)) / (n_b * P_b)
        if step == 0 or (abs(step) < 1e-13 and abs(step) >= last):
            break
        last = abs(step)
        n_b *= exp(min(max(step, -0.7), 0.7))
    return n_b


# ---------------------------------------------------------------------------------------------- pycnonuclear rates

_TABLE = {  # Z1, Z2: R, dR1a, dR2a, dR1b, dR2b, delta, S0
    (6, 6): (7.4836, 0.1759, 0.1759, 0.0040, 0.0040, 0.0400, 1.3736),
    (6, 8): (7.8671, 0.1740, 0.1280, -0.0045, -0.0310, 0.0412, 1.5438),
    (6, 10): (7.9387, 0.1720, 0.1206, -0.0171, -0.0035, 0.0400, 1.9478),
    (6, 12): (8.0513, 0.1705, 0.1014, -0.0210, -0.0186, 0.0386, 2.4327),
    (8, 8): (8.0641, 0.1266, 0.1266, -0.0377, -0.0377, 0.0388, 2.1998),
    (8, 10): (8.1191, 0.1257, 0.1183, -0.0461, -0.0068, 0.0371, 2.9486),
    (8, 12): (8.2404, 0.1246, 0.0994, -0.0500, -0.0216, 0.0357, 3.7433),
    (10, 10): (8.1419, 0.1175, 0.1175, -0.0107, -0.0107, 0.0348, 4.2215),
    (10, 12): (8.2880, 0.1160, 0.0987, -0.0157, -0.0273, 0.0339, 5.2525),
    (12, 12): (8.4509, 0.0976, 0.0976, -0.0288, -0.0288, 0.0332, 5.9785),
}


def _interpolated_table():
    """The seven parameters for every Z1, Z2 in 4..14: bilinear in the table's grid, extrapolated at its ends."""
    grid = np.empty((4, 4, 7))
    for (Z1, Z2), row in _TABLE.items():
        R, d1a, d2a, d1b, d2b, delta, S0 = row
        grid[Z1 // 2 - 3, Z2 // 2 - 3] = row
        grid[Z2 // 2 - 3, Z1 // 2 - 3] = R, d2a, d1a, d2b, d1b, delta, S0
    table = np.full((15, 15, 7), np.nan)
    for Z1 in range(4, 15):
        for Z2 in range(4, 15):
            i, j = (min(max((Z - 6) // 2, 0), 2) for Z in (Z1, Z2))
            s, t = (Z1 - 6) / 2 - i, (Z2 - 6) / 2 - j
            table[Z1, Z2] = (1 - s) * ((1 - t) * grid[i, j] + t * grid[i, j + 1])
            table[Z1, Z2] += s * ((1 - t) * grid[i + 1, j] + t * grid[i + 1, j + 1])
    return table


S_TABLE = _interpolated_table()


@njit(cache=True)
def ln_s_factor(Z1, A1, Z2, A2, E):
    """ln of S in MeV barn."""
    R, d1a, d2a, d1b, d2b, delta, S0 = S_TABLE[Z1, Z2]
    R_C = R + (d1a if A1 >= 2 * Z1 else d1b) * abs(A1 - 2 * Z1) + (d2a if A2 >= 2 * Z2 else d2b) * abs(A2 - 2 * Z2)
    mu = ATOMIC_MASS_UNIT * A1 * A2 / (A1 + A2)
    zze2 = Z1 * Z2 * COULOMB
    E_C1 = zze2 / (R_C * (1 + delta))
    E_C = E_C1 * (2 + 3 * delta) / (2 * (1 + delta))
    beta = 1 / (delta * (2 + 3 * delta))
    E_R = zze2**2 * mu / (2 * HBAR_C**2)
    y = sqrt(delta / (2 + 3 * delta))
    inner = R_C / (HBAR_C * sqrt(beta)) * sqrt(2 * mu)
    g0 = 8 * sqrt(E_R / E_C1) - sqrt(E_C) * inner * (pi / 2 + asin(y) + y * sqrt(1 - y * y))
    g1 = -4 / 3 * sqrt(E_R / E_C1) / E_C1 + inner / sqrt(E_C) * (pi / 2 + asin(y))
    return log(S0) + g0 + g1 * E


@njit(cache=True)
def ln_fusion_rate(Z1, A1, x1, Z2, A2, x2, same, n_b, X_N, mean_A, mean_Z, n_e):
    """ln of R in cm^-3 s^-1."""
    rho = n_b * RHO_PER_N_B
    cube = Z1 ** (1 / 3) + Z2 ** (1 / 3)
    a12 = cube / 2 * (3 / (4 * pi * n_e)) ** (1 / 3)
    mu = ATOMIC_MASS_UNIT * A1 * A2 / (A1 + A2)
    E_pk = HBAR_C * sqrt(4 * pi * Z1 * Z2 * COULOMB * 3 / (4 * pi * a12**3) / (2 * mu)) / 2
    lam = (A1 + A2) / (A1 * A2 * Z1 * Z2 * cube) * (rho * X_N * mean_Z / (mean_A * 1.3574e11)) ** (1 / 3)
    front = 3.90 * 8 * rho * X_N * x1 * x2 * A1 * A2 * mean_A * (Z1 * Z2) ** 2 / ((2 if same else 1) * (A1 + A2) ** 2)
    return 46 * log(10) + log(front) + ln_s_factor(Z1, A1, Z2, A2, E_pk) + (3 - 1.25) * log(lam) - 2.638 / sqrt(lam)


# ---------------------------------------------------------------------------------------------- reactions


class Rules(NamedTuple):
    mixed: np.ndarray
    sources: np.ndarray
    neutron: tuple
    chunk: float
    Y_start: float  # nuclei per baryon at the start
    g_mdot: float
    pycno: bool
    ln_scale: float
    t_weak: float


class Now(NamedTuple):
    """Composition: who is present, how much, and its sums; unmixed says which energies hold."""

    codes: np.ndarray
    Y: np.ndarray
    Y_e: float
    Y_n: float
    unmixed: bool


@njit(cache=True)
def energy_change(Z, N, channel, rules, unmixed):
    Zd, Nd = Z + DZ[channel], N - DZ[channel] - DK[channel]
    if Zd < 2 or Zd > 60 or Nd < 0 or Nd > 160:
        return np.nan
    if not unmixed:
        return rules.mixed[Zd, Nd] - rules.mixed[Z, N]
    for s in range(3):
        dE = rules.sources[s, Zd, Nd] - rules.sources[s, Z, N]
        if not np.isnan(dE):
            return dE
    return np.nan


@njit(cache=True)
def channel_amount(i, channel, now, rules):
    k, d = DK[channel], min(now.Y[i], rules.chunk * rules.Y_start)
    if k < 0:
        if not now.Y_n > -k * 1e-3 * rules.chunk * rules.Y_start:
            return 0.0
        d = min(d, now.Y_n / -k)
    return d if now.Y[i] > Y_REACTS and d > Y_DROPPED else 0.0


@njit(cache=True)
def affinity(i, channel, d, n_b, now, rules):
    """g, MeV per reaction; NaN where the channel does not exist."""
    dE = energy_change(now.codes[i] // COLUMNS, now.codes[i] % COLUMNS, channel, rules, now.unmixed)
    if np.isnan(dE):
        return np.nan
    dZ, k = DZ[channel], DK[channel]
    mu_e, _, e = electrons(n_b * now.Y_e)
    a = neutrons(n_b * now.Y_n, rules.neutron)[2]
    mu_n = neutrons(n_b * max(now.Y_n + k * d / 2, 0.0), rules.neutron)[0]
    P_b = e * now.Y_e + a * now.Y_n
    curved = dZ * dZ * e / now.Y_e - (dZ * e + k * a) ** 2 / P_b
    return dE + dZ * mu_e + k * (NEUTRON_EXCESS + mu_n) + d / 2 * curved


@njit(cache=True)
def fusion_amount(i, j, now, rules):
    Y1, Y2 = now.Y[i], now.Y[j]
    Z1, Z2 = now.codes[i] // COLUMNS, now.codes[j] // COLUMNS
    if not rules.pycno or min(Z1, Z2) < 4 or max(Z1, Z2) > 14 or min(Y1, Y2) <= Y_REACTS:
        return 0.0
    d = min(Y1 / 2 if i == j else min(Y1, Y2), rules.chunk * rules.Y_start)
    return d if d > Y_DROPPED else 0.0


@njit(cache=True)
def ln_burn_time(i, j, n_b, now, rules):
    """ln of tau in s."""
    sum_Y, X_N = 0.0, 0.0
    for m in range(len(now.Y)):
        sum_Y += now.Y[m]
        X_N += now.Y[m] * (now.codes[m] // COLUMNS + now.codes[m] % COLUMNS)
    Z1, Z2 = now.codes[i] // COLUMNS, now.codes[j] // COLUMNS
    A1, A2 = Z1 + now.codes[i] % COLUMNS, Z2 + now.codes[j] % COLUMNS
    x1, x2 = now.Y[i] / sum_Y, now.Y[j] / sum_Y
    mean_A, mean_Z = X_N / sum_Y, now.Y_e / sum_Y
    ln_R = ln_fusion_rate(Z1, A1, x1, Z2, A2, x2, i == j, n_b, X_N, mean_A, mean_Z, n_b * now.Y_e) + rules.ln_scale
    return log(n_b * FM3_PER_CM3 * min(now.Y[i], now.Y[j]) * (0.5 if i == j else 1.0)) - ln_R


@njit(cache=True)
def ln_compression_time(n_b, now, rules):
    return log(pressure(n_b, now.Y_e, now.Y_n, rules.neutron) * DYN_PER_CM2 / rules.g_mdot)


@njit(cache=True)
def fusion_product(i, j, n_b, now, rules):
    """Neutrons set free and energy released; -inf where there is no product."""
    Z1, N1, Z2, N2 = now.codes[i] // COLUMNS, now.codes[i] % COLUMNS, now.codes[j] // COLUMNS, now.codes[j] % COLUMNS
    free = NEUTRON_EXCESS + neutrons(n_b * now.Y_n, rules.neutron)[0]
    best, k_best = np.inf, 0
    for N in range(min(N1 + N2, COLUMNS - 1) + 1):
        E = rules.mixed[Z1 + Z2, N] + (N1 + N2 - N) * free  # NaN is never less
        if E < best:
            best, k_best = E, N1 + N2 - N
    return k_best, rules.mixed[Z1, N1] + rules.mixed[Z2, N2] - best


@njit(cache=True)
def excess(i, j, channel, n_b, now, rules):
    """Allowed below 0, landed on at landing(channel): g + 1e-5, or ln(tau/t_acc) of an exothermic fusion; else inf."""
    if channel == FUSION:
        if fusion_amount(i, j, now, rules) == 0 or not fusion_product(i, j, n_b, now, rules)[1] > 0:
            return np.inf
        return ln_burn_time(i, j, n_b, now, rules) - ln_compression_time(n_b, now, rules)
    d = channel_amount(i, channel, now, rules)
    g = affinity(i, channel, d, n_b, now, rules) if d > 0 else np.nan
    return np.inf if np.isnan(g) else g - G_ALLOWED


@njit(cache=True)
def landing(channel):
    return LN_LANDED if channel == FUSION else G_LANDED - G_ALLOWED


@njit(cache=True)
def all_reactions(n):
    """(i, j, channel) of everything n nuclides might do."""
    return [(i, i, c) for i in range(n) for c in range(FUSION)] + [
        (i, j, FUSION) for i in range(n) for j in range(i, n)
    ]


@njit(cache=True)
def choose(n_b, now, rules):
    """What happens now: (i, j, channel), i = -1 for nothing."""
    chosen, rank, order = (-1, -1, 0), np.inf, np.inf
    for i, j, channel in all_reactions(len(now.Y)):
        x = excess(i, j, channel, n_b, now, rules)
        if x >= 0:
            continue
        if channel == FUSION:
            x = ln_burn_time(i, j, n_b, now, rules)
            this = 1.5 if x < log(rules.t_weak) else 3.0
        else:
            this = float(CLASS[channel])
        if this < rank or (this == rank and x < order):
            chosen, rank, order = (i, j, channel), this, x
    return chosen


@njit(cache=True)
def first_threshold(n_low, n_target, now, rules):
    """The smallest n_b up to the target at which something lands; -1 where nothing is allowed at the target."""
    best, last = -1.0, (-1, -1, -1)
    everything = all_reactions(len(now.Y))
    while True:
        nearest, which = np.inf, last
        for i, j, channel in everything:
            x, aim = excess(i, j, channel, n_target, now, rules), landing(channel)
            if x >= 0 if best < 0 else ((i, j, channel) == last or x >= aim - LANDING_SLACK):
                continue
            low, high = n_low, n_target
            while x < aim and high - low > 1e-15 * high:
                middle = 0.5 * (low + high)
                if middle <= low or middle >= high:
                    break
                if excess(i, j, channel, middle, now, rules) < aim:
                    high = middle
                else:
                    low = middle
            if high < nearest:
                nearest, which = high, (i, j, channel)
        if nearest == np.inf:
            return best
        best, n_target, last = nearest, nearest, which


# ---------------------------------------------------------------------------------------------- the run


@njit(cache=True)
def add(codes, Y, code, amount):
    """Abundances kept sorted by code."""
    at = np.searchsorted(codes, code)
    if at < len(codes) and codes[at] == code:
        Y[at] += amount
        return codes, Y
    new_codes, new_Y = np.empty(len(codes) + 1, codes.dtype), np.empty(len(codes) + 1)
    new_codes[:at], new_codes[at], new_codes[at + 1 :] = codes[:at], code, codes[at:]
    new_Y[:at], new_Y[at], new_Y[at + 1 :] = Y[:at], amount, Y[at:]
    return new_codes, new_Y


@njit(cache=True)
def run(codes, Y, grid, unmixed, rules, max_reactions, follow):
    profiles, reactions = np.full((8, len(grid)), np.nan), np.empty((max_reactions, 7))
    P, heat, mismatch, n, recorded, c = grid[0], 0.0, 0.0, 0, 0, rules.neutron
    now = Now(codes, Y, np.sum(Y * (codes // COLUMNS)), 0.0, unmixed)
    n_b = solve_density(P, now.Y_e, now.Y_n, c, (12 * pi**2 * P / HBAR_C) ** 0.75 / (3 * pi**2 * now.Y_e))
    while True:
        i, j, channel = choose(n_b, now, rules)
        if i >= 0:
            if n == max_reactions:
                return n, profiles, reactions, now.unmixed, mismatch
            first, second = now.codes[i], now.codes[j]
            Z, N = first // COLUMNS, first % COLUMNS
            unmixed, Y_n = now.unmixed, now.Y_n
            if channel == FUSION:
                d = fusion_amount(i, j, now, rules)
                k, released = fusion_product(i, j, n_b, now, rules)
                daughter, released = first + second - k, released * d
            else:
                d, k, dZ = channel_amount(i, channel, now, rules), DK[channel], DZ[channel]
                daughter, second = first + dZ * COLUMNS - dZ - k, 0
                released = -d * affinity(i, channel, d, n_b, now, rules)
                if unmixed:
                    dE = energy_change(Z, N, channel, rules, False) - energy_change(Z, N, channel, rules, True)
                    mismatch += d * dE
                    unmixed = mismatch <= GUARD * rules.Y_start
            heat += released
            reactions[n] = np.array([first, second, channel, k, d, P, released])
            if n < len(follow):
                d = follow[n]
            n += 1
            now.Y[i] -= d
            if channel == FUSION:
                now.Y[j] -= d
            for m in (i, j):
                if now.Y[m] < Y_DROPPED:
                    now.Y[m] = 0.0
            codes, Y = now.codes[now.Y > 0], now.Y[now.Y > 0]
            codes, Y = add(codes, Y, daughter, d)
            now = Now(codes, Y, np.sum(Y * (codes // COLUMNS)), max(Y_n + k * d, 0.0), unmixed)
            n_b = solve_density(P, now.Y_e, now.Y_n, c, n_b)
            continue
        if P == grid[recorded]:
            mu_e, mu_n = electrons(n_b * now.Y_e)[0], neutrons(n_b * now.Y_n, c)[0]
            Z = now.codes // COLUMNS
            sums = now.Y.sum(), np.sum(Z * Z * now.Y)
            profiles[:, recorded] = np.array([n_b, now.Y_e, now.Y_n, mu_e, mu_n, sums[0], sums[1], heat])
            recorded += 1
            if recorded == len(grid):
                return n, profiles, reactions, now.unmixed, mismatch
        P_target = min(P * exp(0.01), grid[recorded])
        n_target = solve_density(P_target, now.Y_e, now.Y_n, c, n_b)
        landed = first_threshold(n_b, n_target, now, rules)
        n_b = n_target if landed < 0 else landed
        P = P_target if landed < 0 else min(pressure(n_b, now.Y_e, now.Y_n, c), P_target)


@dataclass(frozen=True)
class Result:
    n_b: np.ndarray
    Y_e: np.ndarray
    Y_n: np.ndarray
    mu_e: np.ndarray
    mu_n: np.ndarray
    sum_Y: np.ndarray
    sum_Z2Y: np.ndarray
    heat: np.ndarray
    reactions: np.ndarray
    switched: bool
    mismatch: float


def evolve(
    mixed,
    sources,
    ash,
    *,
    pressures,
    g_mdot,
    chunk,
    policy="mixed",
    pycno=True,
    pycno_log10_scale=0.0,
    t_weak=1.0,
    neutron=(1.2974, 15.0298, -15.2343, 7.4663),
    max_reactions=200_000,
    follow=(),
):
    """Burn an ash. `follow`: amounts actually converted, reaction by reaction, instead of the code's own.

    An amount limited by Y_n is Y_n/|k| itself, and a network of captures and emissions limited so multiplies rounding
    errors of Y_n by 2 or so per round: in some crusts the last bit decides later reactions. Following the amounts of
    another code keeps the two on one path; `reactions` still holds the choices and amounts of this code.
    """
    nuclides = sorted(ash)
    codes = np.array([Z * COLUMNS + N for Z, N in nuclides])
    Y = np.array([ash[nuclide] / sum(nuclide) for nuclide in nuclides])
    mixed, sources = (np.ascontiguousarray(x, dtype=np.float64) for x in (mixed, sources))
    ln_scale = float(pycno_log10_scale * np.log(10))
    rules = Rules(mixed, sources, tuple(neutron), chunk, Y.sum(), float(g_mdot), pycno, ln_scale, float(t_weak))
    grid = np.asarray(pressures, dtype=np.float64) / DYN_PER_CM2
    follow = np.array(follow, dtype=np.float64)
    n, profiles, reactions, unmixed, mismatch = run(codes, Y, grid, policy == "unmixed", rules, max_reactions, follow)
    if np.isnan(profiles[0, -1]):
        raise RuntimeError(f"{n} reactions did not reach the last pressure")
    switched = policy == "unmixed" and not unmixed
    return Result(*profiles, reactions=reactions[:n], switched=switched, mismatch=mismatch / rules.Y_start)
