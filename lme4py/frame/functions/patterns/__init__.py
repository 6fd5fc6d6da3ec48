"""Regular expressions: the part of R's that analysts write, matched without backtracking.

A pattern is compiled to a small program whose every instruction is tried on each letter at most
once, so that no pattern can take more than (letters) x (instructions) steps. Without
``perl = TRUE`` the longest of the leftmost matches is taken, as POSIX and R's TRE do; with it
the first in the order of writing, as PCRE does.
"""
