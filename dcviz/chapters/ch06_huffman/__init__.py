"""Chapter 06, Huffman coding (section 4)."""
