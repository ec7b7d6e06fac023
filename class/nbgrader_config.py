"""nbgrader's settings. `make class` copies this file into its work area.

The folder of the copy is the course: sources, exchange, submissions, grades.
"""

from pathlib import Path

WORK = Path(__file__).resolve().parent

c = get_config()  # noqa: F821  nbgrader gives it to this file

c.CourseDirectory.course_id = "ptlearn"
c.CourseDirectory.root = str(WORK)
c.Exchange.root = str(WORK / "exchange")
# Students are names here, not accounts of this computer.
c.ExchangeCollect.check_owner = False

c.ClearSolutions.code_stub = {
    "python": '# your code here\nraise NotImplementedError("not done yet")'
}
c.ClearSolutions.text_stub = "*Your answer here.*"
