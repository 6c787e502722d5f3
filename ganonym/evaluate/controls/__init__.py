"""Checks of the assessment itself, run on every release."""
