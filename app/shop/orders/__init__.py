"""Orders, from stock reserved to goods received."""
