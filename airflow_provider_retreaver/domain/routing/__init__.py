"""Caps, business hours, pauses, tags and group members of targets."""
