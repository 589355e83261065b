"""Ways to read a call log into a file, each a program.

`python -m benchmarks.contestants.NAME URL PER_PAGE AT_ONCE START OUTPUT`.

Every program writes the calls as JSON lines, without envelope, and prints nothing that matters.
"""
