"""Columns made from columns: scaling, polynomials, splines."""
