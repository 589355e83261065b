"""Serving HTTP."""
