"""The ground state of the mass models of a plan, at its recorded pressures."""

import jax

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.inputs import matter_of
from gpucrust.physics.ground_state import GroundState, ground_state
from gpucrust.sweep.plan import Plan


def ground_states(plan: Plan) -> list[GroundState]:
    """The ground state of each mass model at the recorded pressures (figure 1's dotted lines); none if not wanted."""
    if not (plan.sweep.output.profiles and plan.sweep.output.ground_state):
        return []
    with jax.enable_x64(True):
        matter = matter_of(plan.physics)
        return [ground_state(model.mixed, plan.pressures / DYN_PER_CM2, matter) for model in plan.models]
