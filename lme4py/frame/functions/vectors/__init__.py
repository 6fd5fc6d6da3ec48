"""Vectors and matrices made from parts."""
