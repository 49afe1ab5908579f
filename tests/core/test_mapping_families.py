"""What is wrong with several tables of a mapping, each mistake with its line and what would be right."""

from __future__ import annotations

import pytest

from connector.core.mapping_text import read

MAPPING = """\
version: 1
orders:
  table: orders
  side_tables:
    note: { table: notes, foreign_key: order_id }
  fields:
    OrderId: id
    CustomerId: customer_id
    Currency: currency
    Email: note.email
    OrderItems:
      table: lines
      foreign_key: order_id
      side_tables:
        cost: { table: costs, foreign_key: line_id }
      fields: { ProductId: product_id, Sku: sku, Quantity: quantity, Price: cost.price }
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "Email: note.email",
            "Email: nots.email",
            "line 10, column 5: orders.fields.Email is from nots, which side_tables does not declare; did you",
        ),
        (
            "Email: note.email",
            "Email: zzz.email",
            "line 10, column 5: orders.fields.Email is from zzz, which side_tables does not declare; add it",
        ),
        (
            "Email: note.email",
            "Email: email",
            "line 5, column 5: orders.side_tables.note is a side table that no field",
        ),
        (
            "Email: note.email",
            'Username: { template: "{note.a}{b}" }',
            "line 10, column 5: orders.fields.Username is unknown here",
        ),
        (
            "CustomerId: customer_id",
            'CustomerId: { template: "{note.a} {b}" }',
            "line 8, column 5: orders.fields.CustomerId has a template with columns of several tables; expected those",
        ),
        (
            "OrderId: id",
            "OrderId: note.id",
            "line 7, column 5: orders.fields.OrderId names the row and comes from the side table note; expected a",
        ),
        (
            "Sku: sku",
            "Sku: cost.sku",
            "line 16, column 40: orders.fields.OrderItems.fields.Sku names the row and comes from the side table cost",
        ),
        (
            "  table: orders\n",
            "  table: orders\n  primary_key: [shop, id]\n",
            "line 6, column 27: orders.side_tables.note.foreign_key has 1 columns, and primary_key of orders 2",
        ),
        (
            "foreign_key: line_id",
            "foreign_key: [a, b]",
            "line 15, column 31: orders.fields.OrderItems.side_tables.cost.foreign_key has several columns, whose",
        ),
        ("note", "parent", "line 5, column 5: orders.side_tables.parent is called parent, which stands for the root"),
        ("  table: orders\n", "  table: orders\n  keep: [notes]\n", "line 4, column 3: orders.keep names notes, which"),
        (
            "      foreign_key: order_id\n",
            "",
            "line 11, column 5: orders.fields.OrderItems has table without foreign_key; add the columns that hold",
        ),
        (
            "      table: lines\n",
            "      table: lines\n      row: true\n",
            "line 11, column 5: orders.fields.OrderItems has row and table; expected one of column, row and table",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(old: str, new: str, message: str) -> None:
    """It is the first that is told, and the file is refused."""
    assert isinstance(read(MAPPING), dict)
    found = read(MAPPING.replace(old, new))
    assert isinstance(found, list)
    assert any(each.startswith(message) for each in found), found
