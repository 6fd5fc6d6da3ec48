"""Formula text read by lark, which is imported with the first formula."""
