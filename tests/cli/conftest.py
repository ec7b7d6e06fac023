"""The shell as a person meets it: words in; exit code, output and errors out."""

from types import SimpleNamespace

import pytest
from shell_tools import ROWS, write_csv

from ptlearn.cli.app import main


@pytest.fixture
def shell(capsys):
    def run(*words, code=0):
        """Run a command that ends with this exit code; return what it said."""
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert (end.value.code or 0) == code, out + err
        assert "Traceback" not in err
        return SimpleNamespace(out=out, err=err)

    return run


@pytest.fixture
def refused(shell):
    def run(*words, code=1) -> str:
        """Run a command that is refused; return the message."""
        said = shell(*words, code=code)
        assert said.err.startswith("Error: ") or code == 2
        return said.err

    return run


@pytest.fixture
def data(tmp_path):
    return write_csv(tmp_path / "reviews.csv", ROWS)
