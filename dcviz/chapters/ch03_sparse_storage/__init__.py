"""Chapter 03, sparse storage: what it costs to say where the remaining weights are (section 2, Fig. 2)."""
