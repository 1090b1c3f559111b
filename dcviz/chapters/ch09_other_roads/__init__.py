"""The other roads to a small net, each in a module of its own, on the same nets, data and bytes as the pipeline.

    svd            fully connected layers as products of two thin matrices
    nnmf           a small network in place of the inner product of such factors
    taylor         whole filters and neurons removed, those whose loss is felt least
    distillation   a smaller net that learns from a larger one's answers
    int8           every weight rounded to one of 255 evenly spaced levels

All of them give a ``StoredNet``: its size is the length of its .dcz file. ``rebuild`` turns the file back into a net,
``comparison`` measures them all alike.
"""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
