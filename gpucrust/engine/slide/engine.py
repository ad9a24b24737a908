"""The slide engine behind the protocol of engines."""

from dataclasses import dataclass
from typing import ClassVar

from gpucrust.engine.interface import Member, Output, Segments, Settings
from gpucrust.engine.network import Network
from gpucrust.engine.slide.record import row_columns
from gpucrust.engine.slide.state import SlideState, initial_slide
from gpucrust.engine.slide.step import slide_step


@dataclass(frozen=True)
class SlideEngine:
    """The limit of the chunk engine for chunks that go to zero: one net at a time, along what is marginal."""

    remembers_cascades: bool = False
    """Whether packets remember their cascades, for records of steps."""

    steps_per_call: ClassVar[int] = 200
    """Micro-steps between two looks of the host: a crust takes some 2,000."""
    segments: ClassVar[Segments] = Segments.SLIDES
    """Stretches along one marginal reaction each, or at frozen composition."""

    def step_limit(self, dlnP: float) -> int:
        """Some 20 times what crusts take."""
        return int(400 / dlnP)

    def record_columns(self, slots: int) -> int:
        """Length of a `StepRow`."""
        return row_columns(slots)

    def init(self, member: Member, network: Network, settings: Settings) -> SlideState:
        """The ash at the lowest pressure."""
        return initial_slide(member, network, settings, self.remembers_cascades)

    def step(
        self, state: SlideState, member: Member, network: Network, settings: Settings
    ) -> tuple[SlideState, Output]:
        """One look at a trial, and what follows from it."""
        return slide_step(state, member, network, settings)
