"""A design as named arrays and plain data, and back: what a stored design consists of."""
