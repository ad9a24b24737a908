"""The slide engine: the limit of the threshold-search stepper for chunks that go to zero.

While a reaction is marginal the crust slides along it: pressure rises by a bounded step, and as much of the reaction's
net goes as keeps it marginal. A move ends early where something else becomes possible. That then burns at constant
pressure, by class, until it is marginal in turn or used up; two marginal reactions that oppose each other burn together
in the proportion that leaves mu_e and mu_n as they are.

`step` has the micro-step, in the order of these: `evaluate` what is seen at a trial; `judge` what the trial turns out
to be, with `choice` of the reaction that counts and `crossing` of thresholds; `follow` where its packet leads, by
`packet` and `cascade`, among `surroundings`; `decide` for one outcome, with the `events` at which moves end; `trial`
what is looked at next, with `amount` and `net`; `bookkeeping` what is kept of it, with the `record` of steps. `state`
has the parts of the state. Others use the engine and the record alone.
"""

from gpucrust.engine.slide.engine import SlideEngine
from gpucrust.engine.slide.record import Amount, Move, StepRow, steps_by_name

__all__ = ["Amount", "Move", "SlideEngine", "StepRow", "steps_by_name"]
