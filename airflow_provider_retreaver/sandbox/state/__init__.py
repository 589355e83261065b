"""The state of the sandbox, in SQLite, and its clock."""
