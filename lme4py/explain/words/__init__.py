"""A model told in words: what each part of the formula adds, and where it stands."""
