"""Chapter 04, weight sharing: k-means and its starts (sections 3.1 and 3.2)."""
