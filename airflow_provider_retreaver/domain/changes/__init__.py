"""Changing objects: read, compare, send what differs, read back."""
