"""The lark grammar of R's expressions, as data."""
