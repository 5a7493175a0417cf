"""Constants that kernels share with each other and with their callers."""

LANES = 64
"""Queries that the compiled path kernel processes side by side: four AVX-512 registers."""

CANCELLED = 1e-3
"""Share of |x|² + |y|² below which the product form has lost some three of float32's digits."""
