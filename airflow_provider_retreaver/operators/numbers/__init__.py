"""Operators that keep lists of numbers in step with a source."""
