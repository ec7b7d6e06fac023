"""Figures are drawn without a screen, and closed afterwards."""

import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def quiet_figures():
    with matplotlib.rc_context({"backend": "agg"}):
        yield
    plt.close("all")
