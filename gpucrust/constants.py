"""Physical constants (CODATA 2018) in the package's inner units: MeV, fm, MeV fm^-3.

CGS appears only at the boundary, through the conversion factors at the end.
"""

HBAR_C = 197.3269804  # MeV fm
ATOMIC_MASS_UNIT = 931.49410242  # m_u, MeV
ELECTRON_MASS = 0.51099895  # m_e, MeV
NEUTRON_EXCESS = 8.07131806  # m_n - m_u, MeV
FINE_STRUCTURE = 1 / 137.035999084
COULOMB = FINE_STRUCTURE * HBAR_C  # e^2, MeV fm

DYN_PER_CM2 = 1.602176634e33  # 1 MeV fm^-3 in dyn cm^-2 (and in erg cm^-3)
ATOMIC_MASS_UNIT_GRAM = 1.66053906660e-24  # m_u, g
FM3_PER_CM3 = 1e39
RHO_PER_N_B = ATOMIC_MASS_UNIT_GRAM * FM3_PER_CM3  # g cm^-3 for n_b = 1 fm^-3
BARN_PER_FM2 = 0.01
SPEED_OF_LIGHT = 2.99792458e10  # cm s^-1
EDDINGTON_MDOT = 1e5  # g cm^-2 s^-1, the local Eddington rate used by CS20
