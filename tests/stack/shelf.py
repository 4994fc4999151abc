"""A product of which so many pieces are left, and no delivery comes."""

from collections.abc import Iterator
from contextlib import contextmanager

from clients import Stack


@contextmanager
def left(stack: Stack, pieces: int) -> Iterator[str]:
    """Give the id of such a product; afterwards its shelf is as full as it was."""
    [[product_id, stock, delivered_up_to]] = stack.postgres.rows(
        "SELECT id, stock, delivered_up_to FROM products WHERE delivered_up_to IS NOT NULL ORDER BY id DESC LIMIT 1"
    )
    change = "UPDATE products SET stock = {}, delivered_up_to = {} WHERE id = '{}' RETURNING id"
    stack.postgres.rows(change.format(pieces, "NULL", product_id))
    try:
        yield product_id
    finally:
        stack.postgres.rows(change.format(stock, delivered_up_to, product_id))
