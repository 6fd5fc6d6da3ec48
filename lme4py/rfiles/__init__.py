"""R's files: its serialization format, read and written."""
