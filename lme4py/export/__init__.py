"""Ways in and out: R's files, and the design matrices of other libraries."""
