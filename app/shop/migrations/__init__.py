"""The database's history: one file a change, applied at start by shop.start."""
