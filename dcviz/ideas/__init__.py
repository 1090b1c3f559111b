"""Sections 2 to 4 of the paper in NumPy alone. Its core is an evening's reading: pruning, relative_index, kmeans,
huffman, entropy.
"""
