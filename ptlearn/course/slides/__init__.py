"""Slides of the lessons, out of the notebooks' own cells."""
