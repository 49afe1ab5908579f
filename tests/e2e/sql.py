"""Statements on the tables of `schema.sql`, as text."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Sql(NamedTuple):
    """An expression that is a value."""

    text: str


Value: TypeAlias = "str | float | Sql | None"


def key_of(table: str) -> str:
    """Name the column that is the primary key."""
    return table.removesuffix("s") + "_id"


def insert(table: str, **columns: Value) -> str:
    """Insert a row."""
    values = ", ".join(literal(value) for value in columns.values())
    return f"INSERT INTO shop.{table} ({', '.join(columns)}) VALUES ({values});"


def update(table: str, key: str, **columns: Value) -> str:
    """Update the row of a key."""
    changes = ", ".join(f"{name} = {literal(value)}" for name, value in columns.items())
    return f"UPDATE shop.{table} SET {changes} WHERE {key_of(table)} = {literal(key)};"


def delete(table: str, key: str) -> str:
    return f"DELETE FROM shop.{table} WHERE {key_of(table)} = {literal(key)};"


def literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Sql):
        return value.text
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()
