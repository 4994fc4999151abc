"""A stand-in payment provider: a second process, with times and refusals like a real one's."""
