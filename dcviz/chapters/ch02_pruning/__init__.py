"""Chapter 02, pruning: section 2 of the paper and NIPS'15."""
