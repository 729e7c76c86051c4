"""Small samples in the real formats of the benchmarks beside SQA3D, made by this project for itself.

They show that the parts work together. They are no benchmarks: scores on them say nothing about the
data whose format they borrow.
"""
