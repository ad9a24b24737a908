"""The physics of the crust: equations alone, one function each; nothing here knows of members, steps or files.

`eos` is the equation of state. `reactions` has the channels of a nuclide and the energy that one of them releases,
`potentials` the same for all channels at once, `pycno` the rates of fusion. `lattice_electrons` and `ground_state` are
matter of least Gibbs energy. `force_balance` has the forces on each kind of particle, `diffusion` what follows for the
slope of mu_e and the flux of neutrons, `slopes` the exact dmu_e/dP of a crust. Functions are elementwise, or say what
they are, and differentiable; energies are in MeV, lengths in fm, all numbers float64.
"""

__all__ = [
    "diffusion",
    "eos",
    "force_balance",
    "ground_state",
    "lattice_electrons",
    "potentials",
    "pycno",
    "reactions",
    "slopes",
]
