"""Chapter 07, the full pipeline: Tables 1 to 6."""
