"""Comparing, finding, creating and changing objects of any resource."""
