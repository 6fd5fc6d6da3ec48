"""Pictures of a model: where X, Zt, Lambdat and ZᵗZ have entries, and one cluster's blocks.

A matrix of any size is drawn as a few hundred pixels each way. Where a pixel holds many rows,
a small random term is drawn larger than its share, so that 500 rows beside 200,000 can still
be seen.
"""
