"""A table of the benchmark: what it measures, its columns, and where its rows come from."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A value of each row by name, with its heading, and how it is written; None is written as nothing."""

    key: str
    heading: str
    form: str = "{}"
    right: bool = True

    def cell(self, row: Row) -> str:
        """Return what stands in the row."""
        value = row[self.key]
        return "" if value is None else self.form.format(value)


@dataclass(frozen=True)
class Table:
    """What is measured, in a line for people; `rows` measures, and yields each row when it is known."""

    name: str
    about: str
    columns: tuple[Column, ...]
    rows: Callable[[argparse.Namespace], Iterator[Row]]

    def head(self) -> str:
        """Return the first two lines in Markdown."""
        headings = " | ".join(column.heading for column in self.columns)
        rules = " | ".join("---:" if column.right else "---" for column in self.columns)
        return f"| {headings} |\n| {rules} |"

    def line(self, row: Row) -> str:
        """Return a row in Markdown."""
        return f"| {' | '.join(column.cell(row) for column in self.columns)} |"
