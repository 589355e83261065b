"""Calls and recordings from Retreaver to object storage and to databases."""
