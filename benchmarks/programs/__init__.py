"""Programs that read a call log into a file in different ways.

`python -m benchmarks.programs.NAME URL PER_PAGE CONCURRENCY START OUTPUT`.

Each program writes the calls as JSON lines, without envelope.
"""
