"""Calls and recordings from the vendor to storage and to databases."""
