"""Mathematical functions of numbers, element by element, and cumulative ones."""
