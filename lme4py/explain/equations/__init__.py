"""The equations of a model: by level, combined, as matrices, and their distributions."""
