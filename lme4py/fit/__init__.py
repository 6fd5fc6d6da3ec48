"""Fits: penalised least squares, PIRLS, the optimisers of lme4, and the fitted model."""
