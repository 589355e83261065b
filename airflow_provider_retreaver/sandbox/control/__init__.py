"""The control surface below `/__sandbox__/`."""
