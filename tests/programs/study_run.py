"""Run the small study and be killed: python study_run.py FOLDER.

FOLDER/0 to FOLDER/5 hold what is left of a process that was killed with so many
made-up rows done; FOLDER/true what is left of this process, with two true ones.
"""

import signal
import sys
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_study import STUDY, KilledAt, made_up, run, run_job  # noqa: E402


def run_and_be_killed(folder: Path, n: int, row) -> None:
    run(STUDY, folder, KilledAt(n, folder / f"{STUDY.name}.jsonl", row))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for n in range(STUDY.size()):
        # Forked, so that torch is imported only once.
        process = get_context("fork").Process(
            target=run_and_be_killed, args=(folder / str(n), n, made_up)
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, (n, process.exitcode)
    run_and_be_killed(folder / "true", 2, run_job)
