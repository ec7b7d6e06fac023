"""The checks of the exercises, a module for each lesson.

The convention, which the tests hold every lesson to:

* An exercise is a code cell tagged ``exercise``: the stub, with ``...`` where the
  learner writes, and as its last statement the call of its check, such as
  ``exercises.ex01_2(is_hit)``. A function stub says ``return ...``.
* The cell above is Markdown: ``### Exercise 01.2 · Title (★★☆, 8 minutes)``, a line
  ``*You practise ...*``, the steps (none where there are three stars), and a line
  that begins with ``Expected output:``.
* The next cell is Markdown with two folds, ``<details><summary>Hint</summary>`` and
  ``<details><summary>Solution</summary>``; the solution holds one ``python`` code
  block, which replaces everything in the stub but the check, and a sentence that
  explains it.
* The check is a function here, named after lesson and number and marked with
  ``@exercise``. It tries the learner's answer on several inputs that it draws itself,
  and calls ``expect`` or ``require`` on what comes out. It never prints what it wants.
* ``tests/wrong_answers/01.toml`` lists, for each exercise, plausible wrong answers.
  The tests put them in the stub's place, in the running lesson: each is refused.

Each check takes what the learner made, prints what it found, and returns nothing.
"""

from ..expect import done, exercise, expect, require
from .lesson_00 import ex00_1, ex00_2, ex00_3, ex00_4
from .lesson_01 import ex01_1, ex01_2, ex01_3, ex01_4
from .lesson_02 import ex02_1, ex02_2, ex02_3, ex02_4
from .lesson_03 import ex03_1, ex03_2, ex03_3, ex03_4
from .lesson_04 import ex04_1, ex04_2, ex04_3, ex04_4
from .lesson_05 import ex05_1, ex05_2, ex05_3, ex05_4
from .lesson_06 import ex06_1, ex06_2, ex06_3, ex06_4
from .lesson_07 import ex07_1, ex07_2, ex07_3, ex07_4
from .lesson_08 import ex08_1, ex08_2, ex08_3, ex08_4
from .lesson_09 import ex09_1, ex09_2, ex09_3, ex09_4
from .lesson_10 import ex10_1, ex10_2, ex10_3, ex10_4

__all__ = [
    "done",
    "exercise",
    "expect",
    "require",
    "ex00_1",
    "ex00_2",
    "ex00_3",
    "ex00_4",
    "ex01_1",
    "ex01_2",
    "ex01_3",
    "ex01_4",
    "ex02_1",
    "ex02_2",
    "ex02_3",
    "ex02_4",
    "ex03_1",
    "ex03_2",
    "ex03_3",
    "ex03_4",
    "ex04_1",
    "ex04_2",
    "ex04_3",
    "ex04_4",
    "ex05_1",
    "ex05_2",
    "ex05_3",
    "ex05_4",
    "ex06_1",
    "ex06_2",
    "ex06_3",
    "ex06_4",
    "ex07_1",
    "ex07_2",
    "ex07_3",
    "ex07_4",
    "ex10_1",
    "ex10_2",
    "ex10_3",
    "ex10_4",
    "ex09_1",
    "ex09_2",
    "ex09_3",
    "ex09_4",
    "ex08_1",
    "ex08_2",
    "ex08_3",
    "ex08_4",
]
