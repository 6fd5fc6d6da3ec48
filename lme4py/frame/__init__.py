"""Columns to model frame: the values of a formula's variables, as R computes them."""
