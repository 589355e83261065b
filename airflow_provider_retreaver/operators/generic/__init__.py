"""Operators for objects of any resource."""
