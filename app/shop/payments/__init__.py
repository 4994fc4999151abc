"""Paying an order through the payment gateway."""
