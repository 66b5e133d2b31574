"""An exercise: examples worked out by hand, claims about all cases, and the solution.

    EXERCISES = [
        Exercise(
            "output_size",
            solution=geometry.conv_output_size,
            examples=[Example((5, 3), 3, "windows begin at 0, 1 and 2")],
            claims=[Claim("…", st.tuples(…), equal_to(reference))],
        )
    ]

`checks.py` of a lesson holds such a list. An exercise has one function to write, of its
name. Examples come first, in their order; then each claim is tried on cases that
hypothesis draws, and of those that break it the smallest is shown; then the laws of the
operator, where the function is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis.strategies import SearchStrategy

from minifcn.course.comparing import compare
from minifcn.laws import Implementation, Law

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[..., Any]


class Example(NamedTuple):
    """One call worked out by hand.

    Attributes:
        arguments: of the call.
        expected: what it returns.
        because: how one sees that, in a sentence.
    """

    arguments: tuple[Any, ...]
    expected: Any
    because: str


class Claim(NamedTuple):
    """What is true of the function in every case.

    Attributes:
        sentence: the claim, as one would say it.
        cases: draws the arguments of a call, as a tuple; small whole numbers, no two
            sizes alike.
        judge: (function, *arguments) -> None; raises where the claim is broken
            (`comparing.compare` does).
    """

    sentence: str
    cases: SearchStrategy[Any]
    judge: Callable[..., None]


@dataclass(frozen=True)
class Exercise:
    """A function to be written, and what it must do.

    Attributes:
        name: of the function in exercise.py.
        solution: the library's own function, whose source `minifcn lesson solution`
            shows.
        examples: worked out by hand, the simplest first.
        claims: about all cases.
        laws: of the operator that the function is.
        on_trial: makes of the function the operators that the laws judge.
        library: the solution as it is called here, where that is not the same: the
            library's operators take Tensors, an exercise arrays.
        reached: what one has now, in a sentence.
        picture: draws something with the learner's own function.
    """

    name: str
    solution: Any
    examples: Sequence[Example]
    claims: Sequence[Claim] = ()
    laws: Sequence[Law] = ()
    on_trial: Callable[[Function], Implementation] | None = field(
        default=None, repr=False
    )
    library: Function | None = field(default=None, repr=False)
    reached: str = ""
    picture: Callable[[Function], Figure] | None = field(default=None, repr=False)

    @property
    def reference(self) -> Function:
        """The library's version, called as the exercise's function is."""
        return self.library or self.solution


def equal_to(reference: Function) -> Callable[..., None]:
    """Return a judge: the function gives what the reference gives."""

    def judge(function: Function, *arguments: Any) -> None:
        compare(function(*arguments), reference(*arguments))

    return judge
