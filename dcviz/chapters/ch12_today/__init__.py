"""Chapter 12, the three ideas today."""
