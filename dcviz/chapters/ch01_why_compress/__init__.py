"""Chapter 01, why compress: what delay, memory and energy ask of a net."""
