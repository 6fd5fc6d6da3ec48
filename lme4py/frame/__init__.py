"""The model frame: expressions evaluated on columns, rows chosen, levels settled."""
