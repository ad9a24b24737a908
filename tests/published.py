"""Numbers that gpucrust is compared with, once: tests and the validation page of the documents read them here.

Rows hold what a published work, or a code that is not this one, gives. Nothing here comes from gpucrust.
"""

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
