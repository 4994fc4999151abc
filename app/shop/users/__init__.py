"""Who buys: accounts, login, tokens."""
