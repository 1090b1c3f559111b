"""Chapter 05, trained quantization: gradients of shared weights (section 3.3)."""
