"""Text to syntax tree to terms and bars: what a formula says, before any data."""
