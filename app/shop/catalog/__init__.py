"""What is sold: products, their pages and their stock."""
