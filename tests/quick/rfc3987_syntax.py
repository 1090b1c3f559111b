"""In place of a package that jsonschema takes if it is there, for addresses in other scripts, which no schema here has.

Each import of it builds a parser out of its grammar: 1.3 s of processor in every process that imports nbformat.
"""

raise ImportError("left out of the tests, as it is slow to import")
