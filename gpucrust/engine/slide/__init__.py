"""The packet-and-slide engine: the limit of the threshold-search stepper for chunks that go to zero.

While a reaction is marginal the crust slides along it: pressure rises by a bounded step, and as much of the reaction's
net (`cascade`) goes as keeps it marginal (`amount`). A move ends early where something else becomes possible. That then
burns at constant pressure, by class, until it is marginal in turn or used up; two marginal reactions that oppose each
other burn together in the ratio that leaves mu_e and mu_n as they are.
"""

from gpucrust.engine.slide.engine import SlideEngine
from gpucrust.engine.slide.record import Amount, Move, StepRow, steps_by_name

__all__ = ["Amount", "Move", "SlideEngine", "StepRow", "steps_by_name"]
