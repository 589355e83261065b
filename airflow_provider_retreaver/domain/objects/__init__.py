"""Which objects a task selects, and how they are read."""
