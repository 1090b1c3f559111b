"""Chapter 10, how small can it get?"""
