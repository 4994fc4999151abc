"""Simulated customers: they browse, search, fill carts, buy, mistype passwords and have cards declined."""
