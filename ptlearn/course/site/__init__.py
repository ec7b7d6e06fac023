"""The web edition: the lessons, the reference and what was measured, as pages."""
