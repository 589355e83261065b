"""Runs commands of Airflow one after another in one process, since most of a command's time is its imports.

The argument is a JSON list of commands, each a list of words.
"""

from __future__ import annotations

import json
import sys

from airflow.cli.cli_parser import get_parser


def main() -> None:
    """Run the commands; the first that fails ends the process."""
    parser = get_parser()
    for words in json.loads(sys.argv[1]):
        arguments = parser.parse_args(words)
        arguments.func(arguments)


if __name__ == "__main__":
    main()
