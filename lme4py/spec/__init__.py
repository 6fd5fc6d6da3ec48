"""What new rows need: the model as a recipe that holds no data.

A spec keeps types and levels of columns, contrasts, the parameters and states that
functions found in the model's data, which columns of X were kept, and the levels of
the grouping factors in their order. Any row can then be computed alone: its numbers
depend on that row and the spec, not on the rows beside it.
"""
