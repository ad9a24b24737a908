"""Numbers that gpucrust is compared with, once: tests and the validation page of the documents read them here.

Rows hold what a published work, or a code that is not this one, gives. Nothing here comes from gpucrust.
"""

from typing import NamedTuple

CS20 = "Chugunov & Shchechilin 2020, MNRAS Lett. 495, L32"

HAENSEL_ZDUNIK = "Haensel & Zdunik 1990, Astron. Astrophys. 227, 431"
# what the crust of one component becomes, at what pressure (dyn cm^-2)
HZ90 = [
    ("Cr56", 7.235e26),
    ("Ti56", 9.569e27),
    ("Ca56", 1.152e29),
    ("Ar56", 4.747e29),
    ("S52", 1.361e30),
    ("Si46", 1.980e30),
    ("Mg40", 2.253e30),
    ("Ca68", 2.637e30),
    ("Ar62", 2.771e30),
    ("S56", 3.216e30),
    ("Si50", 3.825e30),
    ("Mg44", 4.699e30),
    ("Ar66", 6.043e30),
    ("S60", 7.233e30),
    ("Si54", 9.238e30),
    ("Mg48", 1.228e31),
    ("Cr96", 1.602e31),
    ("Ti88", 1.602e31),
]

SCALAR_CODE = "an independent scalar code of the same rules, chunk 0.002, 56Fe, policy mixed, g mdot 6e18"
# lg P (dyn cm^-2), rho (g cm^-3), mu_e, mu_n (MeV), X_n, heat (MeV per baryon)
PROFILES = {
    "FRDM95+DZ31": [
        (28.0, 1.117e10, 8.704, 0, 0, 0.071),
        (29.6, 2.120e11, 21.815, 0, 0, 0.155),
        (30.0, 4.699e11, 27.460, 0, 0, 0.257),
        (30.2, 7.433e11, 30.806, 0.138, 0.0169, 0.439),
        (30.4, 1.573e12, 34.065, 0.853, 0.3277, 0.934),
        (30.6, 2.931e12, 36.735, 1.510, 0.5400, 1.456),
        (30.8, 5.077e12, 38.709, 2.193, 0.6561, 1.756),
        (31.0, 7.839e12, 40.941, 2.828, 0.7120, 1.832),
    ],
    "HFB21+DZ31": [
        (28.0, 1.117e10, 8.704, 0, 0, 0.071),
        (29.6, 2.356e11, 21.815, 0, 0, 0.158),
        (30.0, 5.149e11, 27.458, 0.104, 0.0129, 0.211),
        (30.2, 9.826e11, 30.673, 0.494, 0.1786, 0.339),
        (30.4, 1.785e12, 33.740, 1.005, 0.3980, 0.723),
        (30.6, 3.378e12, 35.672, 1.714, 0.6024, 1.127),
        (30.8, 5.077e12, 38.709, 2.193, 0.6561, 1.226),
        (31.0, 7.801e12, 40.950, 2.827, 0.7151, 1.306),
    ],
}

PEARSON_GORIELY_CHAMEL = "Pearson, Goriely & Chamel 2011, Phys. Rev. C 83, 065810"
# nuclides (Z, A) of the outer crust in the ground state, from the top; AME and HFB21, with the lattice
OUTER_CRUST = [(26, 56), (28, 62), (26, 58), (28, 64), (28, 66), (36, 86), (34, 84), (32, 82), (30, 80), (29, 79)]
OUTER_CRUST += [(28, 78), (28, 80), (42, 124), (40, 122), (39, 121), (38, 120), (38, 122), (38, 124)]
NEUTRON_DRIP = 2.57e-4  # n_b, fm^-3

DUFLO_ZUKER = "the code dz31 of Duflo & Zuker 1995, Phys. Rev. C 52, R23"
# Z, N, mass excess (MeV)
DZ31 = [
    (8, 8, -3.617),
    (20, 20, -34.432),
    (26, 30, -60.447),
    (28, 28, -54.394),
    (50, 82, -75.739),
    (12, 28, 45.778),
    (18, 38, 27.689),
]

# MeV, over the 2408 nuclides of AME2016 with Z, N >= 8, by a separate calculation from the published tables
RMS = {"FRDM95": 0.677, "HFB21": 0.589, "HFB24": 0.565, "HFB26": 0.580, "BSkG3": 0.626, "BSkG4": 0.628}

# cross section, flux, and accretion's flux of CS20, cm^-2 s^-1
FLUX_EQ_11 = 1.67e28  # middle form at A = 70, g = 1e14 cm s^-2, rho_n = 1e12 g cm^-3, worked out by hand
FLUX_EQ_11_ROUNDED = 3e28  # right-hand form there
FLUX_EDDINGTON = 6.02e28

FUSION = "Yakovlev et al. 2006, Phys. Rev. C 74, 035803, and 2010, Phys. Rev. C 82, 044609, worked out separately"
# log10 of the S factor (MeV barn) at 0.1 MeV: (Z1, A1, Z2, A2)
S_FACTORS = [((6, 12, 6, 12), 16.4), ((8, 16, 8, 16), 26.4)]
# log10 of the rate (cm^-3 s^-1): nuclides (Z, A), rho (g cm^-3), X_N, number fractions
RATES = [
    ([(6, 12)], 1e10, 1.0, [1.0], 15.63),
    ([(10, 34)], 1.688e12, 0.61, [1.0], 29.26),
    ([(12, 40)], 1.7e12, 0.6, [1.0], 18.06),
    ([(7, 25), (12, 40)], 1.7e12, 0.6, [0.5, 0.5], 32.97),
]

EQUATION_OF_STATE = "electrons in closed form and Mackie & Baym 1977, Nucl. Phys. A 285, 332, worked out separately"
# n_b (fm^-3), Y_e, Y_n: mu_e, mu_n (MeV), P (dyn cm^-2)
EOS = [
    (1e-4, 0.30, 0.0, 18.975421, 0.0, 2.277674e29),
    (3e-4, 0.25, 0.30, 25.749340, 0.455623, 7.947149e29),
    (2e-3, 0.10, 0.70, 35.703815, 1.832945, 4.240481e30),
]


class Statement(NamedTuple):
    """A statement of CS20 that a run can agree with or not."""

    section: str
    """Empty for a row that looks into the statement above it, and is none of its own."""
    says: str
    """What CS20 say, in our words."""
    measured: str
    """The number that a run gives to it (`cs20_statements.MEASURES`)."""
    least: float
    most: float
    """Bounds of the number where the statement is true. Where CS20 give no number, "small" is below 0.1, "strong" is
    their own |R - 1| > 0.5, and "of the order" is within a factor of ten."""


ANY = float("inf")
ALL = "every tabulated model"
CS20_STATEMENTS = {
    "lattice is small": Statement("2.1", "ε_L is small against ε_e", "-ε_L/ε_e, at most", 0, 0.1),
    "masses hardly feel neutrons": Statement(
        "2.1, 2.3.2",
        "in the liquid drop, nuclear masses depend on n_n, which couples eqs 8 and 9, but only weakly",
        "the coupling Σ n_α (∂m_α/∂n_n) ∇n_n over ρ_ei g, MB-refit to 3×10³¹, at most",
        0,
        0.1,
    ),
    "violated by the leading term": Statement(
        "2.1", "diffusion equilibrium fails by as much as its leading term ∇μ_e", "|R - 1|, at most", 0.5, ANY
    ),
    "electrons weigh little": Statement("2.2", "n_e m*_e is small against n_i m_i", "their ratio, at most", 0, 0.1),
    "right-hand form of eq. 7": Statement(
        "2.2",
        "in eq. 7, m_i/(Zρ) ≈ A m_u/(Zρ)",
        "relative difference of the latter from (m_i + Z m*_e)/(Zρ) with ρ = ε + P, at most",
        0,
        0.1,
    ),
    "one component jumps": Statement(
        "2.3",
        "with one component the density of free neutrons jumps",
        "its largest factor over 1 per cent in P, `sweeps/one_component.toml`",
        1.1,
        ANY,
    ),
    "many components": Statement(
        "2.3",
        "reactions of free neutrons make the inner crust multi-component even below a one-component outer crust",
        "nuclides at a time of a mass fraction above 0.001, at most, ⁵⁶Fe ash",
        2,
        ANY,
    ),
    "mu_e falls": Statement(
        "2.3.1", f"in {ALL} μ_e falls with pressure somewhere", "layers of 1 m or more in which it does", 1, ANY
    ),
    "all forces downwards": Statement(
        "2.3.1",
        "there the field pulls nuclei down as their weight does (eqs 2 and 3), and only friction can hold them",
        "the field's pull, with the weight m*_e g of electrons, over m_i g, at least",
        0,
        ANY,
    ),
    "steep": Statement("2.3.1", "elsewhere R > 1.5 (red)", f"layers of 1 m or more, in {ALL} one at least", 1, ANY),
    "flat": Statement("2.3.1", "or R < 0.5 (blue)", f"layers of 1 m or more, in {ALL} one at least", 1, ANY),
    "shells of one component": Statement(
        "2.3.1, footnote 4",
        "with one component the shells between reactions are out of equilibrium",
        "share of recorded pressures with free neutrons at which |R - 1| > 0.1",
        0.5,
        1,
    ),
    "ground state in equilibrium": Statement(
        "2.3.1",
        "the ground state is in diffusion equilibrium",
        "|R - 1| by differences within its layers, at most",
        0,
        1e-3,
    ),
    "eq. 7 differs": Statement(
        "2.3.1, footnote 5",
        "at the same pressure eq. 7 differs between accreted crust and ground state",
        "ratio of the two slopes, at most",
        1.1,
        ANY,
    ),
    "Lau": Statement(
        "2.3.2",
        "with FRDM95 μ_e should hardly rise where Lau et al. (2018) have 0.1 MeV from ρ = 1.7×10¹² to 2.4×10¹²",
        "its rise there, MeV",
        -0.2,
        0.2,
    ),
    "Lau, width": Statement(
        "", "that plateau spans a factor of 1.41 in ρ", "the factor that the widest one of 0.1 MeV spans", 1.41, ANY
    ),
    "Lau, place": Statement(
        "", "that plateau begins at 1.7×10¹² g cm⁻³", "where the widest one begins, g cm⁻³", 1.6e12, 1.8e12
    ),
    "Lau, faster fusion": Statement(
        "",
        "the same rise with fusion rates 10⁴ times larger (`pycno_log10_scale = 4`)",
        "rise of μ_e from 1.7×10¹² to 2.4×10¹², MeV",
        -0.2,
        0.2,
    ),
    "lattice decouples": Statement(
        "2.3.2",
        "eqs 8 and 9 part without neglect of ε_L",
        "relative error of n_e dμ_e + Σ n_α dμ_α = d(P_e + P_L)",
        0,
        1e-9,
    ),
    "neutrons stay free": Statement(
        "2.3.2",
        "beyond the boundary of outer and inner crust emitted neutrons stay free",
        "fraction of free neutrons beyond their first appearance, at least",
        1e-9,
        1,
    ),
    "neutrons increase": Statement(
        "2.3.2", "n_n increases with depth", "change of ln n_n over 1 per cent in P, at least", 0, ANY
    ),
    "eq. 9 is violated": Statement(
        "2.3.2",
        "P_n need not follow eq. 9",
        "its relative residual where more than a tenth of baryons are free neutrons, at most",
        0.5,
        ANY,
    ),
    "most by fusion": Statement(
        "2.3.2",
        "eq. 9 is violated most by pycnonuclear reactions",
        "fusion goes on (1) or not (0) where |dP_n/dP - ρ_n/ρ| is largest",
        1,
        1,
    ),
    "nuclei become neutrons": Statement(
        "2.3.2",
        "fusion turns nuclei into neutrons in the end",
        "neutrons set free over baryons of the nuclei that vanish (heavier nuclei keep the rest)",
        0.9,
        1.1,
    ),
    "nuclei become neutrons, Lau": Statement(
        "", "as Lau et al. (2018) found with FRDM95", "the same with FRDM95 down to ρ = 2.4×10¹²", 0.9, 1.1
    ),
    "fusion is thick": Statement(
        "2.3.2",
        "the regions of pycnonuclear burning have a finite thickness",
        "thickest in one piece, m (CS20 leave out what is thinner than 1 m)",
        1,
        ANY,
    ),
    "triggered": Statement(
        "2.3.2",
        "where an electron capture triggers fusion its threshold keeps μ_e almost constant, and eq. 8 is violated",
        "mean R there",
        -ANY,
        0.5,
    ),
    "triggered, few neutrons": Statement(
        "", "the same for captures that set one neutron free or none", "mean R there", -ANY, 0.5
    ),
    "triggered, many neutrons": Statement(
        "",
        "the same for captures that set two to six neutrons free, whose threshold rises by k dμ_n",
        "mean R there",
        -ANY,
        0.5,
    ),
    "direct, somewhere": Statement(
        "2.3.2", "where nuclei fuse directly, eq. 8 is violated too", "R there, at least", -ANY, 0.5
    ),
    "direct, mean": Statement(
        "2.3.2",
        "n_e cannot rise strongly while nuclei fuse directly",
        "mean R there; steep towards the end, where fuel is scarce",
        -ANY,
        0.5,
    ),
    "velocity": Statement(
        "3", "v_n = 1.6×10⁹ cm s⁻¹ at ρ_n = 10¹² g cm⁻³", "Fermi velocity ħk_F/m_n there", 1.55e9, 1.65e9
    ),
    "eq. 11": Statement(
        "3",
        "eq. 11: A g/(σ_ni v_n) ≈ 3×10²⁸ cm⁻² s⁻¹ at A = 70, g = 10¹⁴, ρ_n = 10¹²",
        "with σ_ni = 10⁻²³ (1 + A^⅓)² cm² as given",
        2.5e28,
        3.5e28,
    ),
    "eq. 11, bare nuclei": Statement(
        "", "the same as it goes with A^⅓", "with σ_ni = 10⁻²³ A^⅔ cm², which does", 2.5e28, 3.5e28
    ),
    "friction is the weight": Statement(
        "3",
        "f_ni ≈ A n_i m_u g/n_n in shaded regions, the whole weight of nuclei",
        "f_in/(m_i g) = 1 - R, mean over depth of falling and flat layers",
        0.5,
        2,
    ),
    "Eddington": Statement(
        "3", "J_acc = 6×10²⁸ cm⁻² s⁻¹ at the Eddington rate 10⁵ g cm⁻² s⁻¹", "ṁ/m_u", 5.5e28, 6.5e28
    ),
    "flux, least": Statement(
        "3",
        "J_n is of the order of Eddington's J_acc in shaded regions, g = 2×10¹⁴",
        "|J_n|/J_acc, mean over a layer, the smallest",
        0.1,
        10,
    ),
    "flux, largest": Statement("", "the same", "the largest", 0.1, 10),
    "flux of transients": Statement(
        "3",
        "where the mean rate is a hundredth of Eddington's or less, neutrons move faster than accretion does",
        "J_n/J_acc at ṁ = 10³, mean over a falling or flat layer, the smallest",
        1,
        ANY,
    ),
}
