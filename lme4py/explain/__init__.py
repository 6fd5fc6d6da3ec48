"""Views of a model for people: clusters, equations, words, pictures."""
