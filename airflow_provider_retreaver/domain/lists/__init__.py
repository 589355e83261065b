"""Suppression and caller lists."""
