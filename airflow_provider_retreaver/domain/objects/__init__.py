"""Which objects are meant, and reading them."""
