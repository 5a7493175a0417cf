"""The loops that numba compiles for the CPU, one file per topic.

They run without the GIL and are cached on disk once compiled. A loop with `start` and `stop`
processes these rows and writes them into its output arrays. Indices are not checked.
"""
