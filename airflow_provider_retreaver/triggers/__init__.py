"""Triggers: the conditions of the sensors, and events for asset watchers, carried by a triggerer's event loop."""
