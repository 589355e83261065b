"""Every public function and class says what it takes, returns and raises."""

from __future__ import annotations

import ast

import pytest

from tests.packaging.docstrings import Docstrings, package
from tests.packaging.source import modules

PACKAGE = package()

EXAMPLE = '''
class Base:
    """A base."""

    def documented(self, number: int) -> int:
        """Return a number.

        :param number: of things.
        :return: the number.
        """

class Child(Base):
    """A child.

    :param size: in bytes.
    """

    def __init__(self, size: int, name: str) -> None:
        pass

    def documented(self, number: int) -> int:
        return number

    def other(self, first: int, *rest: str) -> int:
        """Do something.

        :param first: the first.
        """
        raise ValueError("no")

    @property
    def length(self) -> int:
        """The length."""

def bare(): ...

def _private(value: int) -> int: ...
'''


def test_what_is_missing_is_found():
    """The check below would notice a parameter, a result, an error and a docstring that is missing."""
    found = Docstrings({"example": ast.parse(EXAMPLE)}).missing("example")
    assert found == [
        "Child: :param name:",
        "Child.other: :param rest:, :return:, :raises ValueError:",
        "bare: a docstring",
    ]


@pytest.mark.parametrize("module", modules())
def test_docstrings(module):
    """No public function or class lacks a `:param`, `:return:` or `:raises:`."""
    assert PACKAGE.missing(module) == []
