"""Run the small study of test_studies.py: python study_run.py FOLDER."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_study import STUDY  # noqa: E402

from ptlearn.studies import study as studies

if __name__ == "__main__":
    executor = ThreadPoolExecutor(1)
    studies.run_study(STUDY, folder=sys.argv[1], executor=executor, progress=False)
