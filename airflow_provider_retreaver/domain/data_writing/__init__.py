"""Call data writing: rows with tags, sending them, and reading them back."""
