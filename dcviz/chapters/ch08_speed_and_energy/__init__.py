"""Chapter 08, speed and energy (section 6.3, Tables 8 and 9)."""
