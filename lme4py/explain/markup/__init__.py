"""How everything is written: trees as text, LaTeX and MathML, pages as text, Markdown and HTML."""
