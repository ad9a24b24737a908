"""Constants of physics in the package's inner units, MeV, fm, MeV fm^-3, and factors to CGS (CODATA 2018).

CGS appears only at the boundary, through the conversion factors here.
"""

HBAR_C = 197.3269804
"""hbar c, MeV fm."""
ATOMIC_MASS_UNIT = 931.49410242
"""m_u, MeV."""
ELECTRON_MASS = 0.51099895
"""m_e, MeV."""
NEUTRON_EXCESS = 8.07131806
"""m_n - m_u, MeV."""
FINE_STRUCTURE = 1 / 137.035999084
"""e^2/(hbar c)."""
COULOMB = FINE_STRUCTURE * HBAR_C
"""e^2, MeV fm."""

DYN_PER_CM2 = 1.602176634e33
"""1 MeV fm^-3 in dyn cm^-2, and in erg cm^-3."""
ATOMIC_MASS_UNIT_GRAM = 1.66053906660e-24
"""m_u, g."""
FM3_PER_CM3 = 1e39
"""1 cm^3 in fm^3."""
RHO_PER_N_B = ATOMIC_MASS_UNIT_GRAM * FM3_PER_CM3
"""Baryon rest mass density where n_b is 1 fm^-3, g cm^-3."""
BARN_PER_FM2 = 0.01
"""1 fm^2 in barn."""
SPEED_OF_LIGHT = 2.99792458e10
"""c, cm s^-1."""
EDDINGTON_MDOT = 1e5
"""Local Eddington rate of accretion as CS20 take it, g cm^-2 s^-1."""

NEUTRON_MATTER: dict[str, tuple[float, ...]] = {
    # Mackie & Baym 1977, Nucl. Phys. A 285, 332
    "mackie-baym": (1.2974, 15.0298, -15.2343, 7.4663),
    # (3/5) (hbar k_F)^2 / 2 m_n with k_F = 2^(1/3) k
    "free-gas": (0.0, 0.6 * 2 ** (2 / 3) * HBAR_C**2 / (2 * (ATOMIC_MASS_UNIT + NEUTRON_EXCESS)), 0.0, 0.0),
}
"""Coefficients c_1, c_2, ... of the energy per free neutron W(k) = c_1 k + c_2 k^2 + ... (MeV, k in fm^-1), by name:
of Mackie & Baym (1977), as in CS20, and of neutrons that do not interact."""
FUSING_Z = (4, 14)
"""Charges of the lightest and of the heaviest nuclei that fuse: the parameters of S(E), known for Z from 6 to 12, are
extrapolated no further."""
