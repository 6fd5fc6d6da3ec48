"""Functions that make factors, and those that code them."""
