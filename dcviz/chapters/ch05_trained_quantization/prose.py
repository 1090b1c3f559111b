"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.evidence import paper


def figure7_loss(net, bits):
    """Points of top-1 accuracy that AlexNet's fc layers lose with so many bits, "pruned" or "unpruned" (Fig. 7)."""
    curve = {"pruned": "top1_pruned_quant", "unpruned": "top1_quant_only"}[net]
    figure = paper.table("figure7_bits_vs_accuracy")
    right = figure["fc"][curve][figure["bits"].index(int(bits))]
    return paper.table("text_numbers")["alexnet_ref_top1_acc"] - right
