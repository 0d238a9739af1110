"""The infrastructure's rehearsal: one environment is applied to moto's server, planned again, and destroyed.

moto does not know everything that the modules ask for. What it refuses, and what it answers otherwise than AWS, is the
committed list `known.toml`; anything else fails, and so does a line of the list that no longer holds.
"""
