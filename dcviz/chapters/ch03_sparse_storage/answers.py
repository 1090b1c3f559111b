"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def sum_of_gaps():
    """What fillers have to do with crowds of weights."""
    return shown("""
It is the same in every layer where fillers matter, and the reason is worth a minute. All gaps together are as long as
the layer: their *sum* is fixed. Where weights crowd together, gaps are short; then what of the gaps elsewhere? And
fillers only care about long gaps:
""")


def even_masks():
    """Which masks would save fillers, and what crowds are good for."""
    return shown("""
Only weights that are spread *more evenly* than at random would save fillers. Clusters help elsewhere: with many
short gaps, gap lengths are very unequally frequent, and Huffman coding lives on that (chapter 06).
""")
