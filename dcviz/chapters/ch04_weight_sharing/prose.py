"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.ideas.kmeans import Lloyd, kmeans
from dcviz.pipeline import shipped


def centroid_without_weights():
    """The centroid that owns no weight at the linear start with 13 on the pruned AlexNet's conv3."""
    weights = shipped.stored_weights("alexnet-cifar10-pruned")["features.6"]
    values = weights[weights != 0]
    centroids = kmeans(values, 13, "linear", max_iterations=0).centroids
    (empty,) = centroids[Lloyd(values).assign_sizes(centroids) == 0]
    return empty
