"""Chapter 11, open questions."""
