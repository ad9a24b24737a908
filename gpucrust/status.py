"""How a member ended: errors are values inside a batch and sentences at its edge."""

from enum import IntEnum


class Status(IntEnum):
    """End of one member; OK and SWITCHED_TO_MIXED have results, the others have missing values."""

    OK = 0
    SWITCHED_TO_MIXED = 1
    SLOT_OVERFLOW = 2
    CHART_EDGE = 3
    NO_CONVERGENCE = 4
    STEP_LIMIT = 5
    NOT_RUN = 6
    SEGMENT_OVERFLOW = 7

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.OK: "reached the last pressure",
    Status.SWITCHED_TO_MIXED: "reached the last pressure; its mass tables disagreed by more than 3 MeV per initial "
    "nucleus around a loop, so it went on with one table (policy `mixed`)",
    Status.SLOT_OVERFLOW: "more nuclides at a time than there are slots: raise stepper.slots",
    Status.CHART_EDGE: "reached a nuclide at the edge of the chart or of the mass tables",
    Status.NO_CONVERGENCE: "no density could be found for the pressure",
    Status.STEP_LIMIT: "took more steps than allowed: raise stepper.max_steps",
    Status.NOT_RUN: "was not computed",
    Status.SEGMENT_OVERFLOW: "more thresholds of different reactions than there is room for",
}
