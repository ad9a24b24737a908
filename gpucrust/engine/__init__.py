"""Evolution of members of an ensemble through the crust: what is given, what runs it, and the engines that do it.

A `Problem` (mass models, ashes, pressures, rules, accuracy) and its `Members` go in; an `Evolution` (profiles,
segments, accounts) comes out of `evolve` or `evolve_each`, which tell their `Progress`. No files are read or written
here, and nothing is known of sweeps, datasets and jobs, which import this package.

- `inputs`: what is given; `evolution`: what comes out; `ensemble`, `batch`, `lanes`, `sizes`: what runs members side by
  side, whatever the engine.
- `interface`: the protocol `Engine`, what an engine is given, and the rows that it records; `state`: what the states of
  all engines have in common; `engines`: the engines there are.
- `network`, `fusion`, `urgency`, `grid`, `select`: what engines are made of.
- `chunk`: the threshold-search stepper, which defines the result; `slide`: its limit for chunks that go to zero.

Others use what is exported here. Beside that, for those who need it: `engines.engine_of`, `evolution.recorded_steps`,
`inputs.matter_of` and `settings_of`, the rows of `interface`, the record of steps in `slide.record`, mass errors in
`network`, and `sizes` to foresee the memory of a run. The glossary of the engines' words is `docs/glossary.md`.
"""

from gpucrust.engine.ensemble import Progress, evolve, evolve_each
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.engine.interface import Engine

__all__ = ["Engine", "Evolution", "Members", "Physics", "Problem", "Progress", "Stepper", "evolve", "evolve_each"]
