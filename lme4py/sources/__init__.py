"""Rows of more data than memory holds, block by block: read, learned from, computed.

A source gives its rows in blocks, in order, as often as it is asked. `scan` learns the spec from
them in a few sweeps, `Spec.blocks` computes X and Zt of each block, and `Spec.crossproducts` adds
up what a linear fit needs.
"""
