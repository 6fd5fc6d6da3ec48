"""The functions a formula may call, by subject."""
