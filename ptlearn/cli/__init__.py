"""The shell: what ``ptlearn COMMAND`` does."""
