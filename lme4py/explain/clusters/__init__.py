"""Clusters of the data: their equations with numbers, and the blocks of Z."""
