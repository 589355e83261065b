"""Operators that synchronize lists of phone numbers with a source."""
