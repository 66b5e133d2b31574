"""The lessons' machinery: what an exercise is, how it is checked, how pages are made.

The lessons themselves are in `lessons/`, a folder each:

    lesson.py      the lesson, a script in cells: text, code, pictures
    README.md      the same with its output and pictures, made by `minifcn lesson build`
    exercise.py    functions to be written
    checks.py      what those functions must do: an `Exercise` each
"""

from minifcn.course.exercises import Claim, Example, Exercise, equal_to
from minifcn.course.pictures import picture

__all__ = ["Claim", "Example", "Exercise", "equal_to", "picture"]
