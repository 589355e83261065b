"""Triggers: the conditions of the sensors, and events for asset watchers, run by a triggerer's event loop."""
