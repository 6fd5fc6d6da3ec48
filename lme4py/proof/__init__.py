"""A design against what R recorded, component by component."""
