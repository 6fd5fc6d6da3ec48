"""R's serialization format, read.

Nothing in a file is believed: a length is compared with the bytes that are left before
anything of that length is made, so time and memory are bounded by the size of the stream.
"""
