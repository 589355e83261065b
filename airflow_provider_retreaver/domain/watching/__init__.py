"""Conditions that sensors and triggers wait for."""
