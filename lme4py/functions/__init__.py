"""The functions a formula may call, by subject, and the table that holds them."""
