"""What serves a pushed model on a cluster or on one machine, as manifests: plain values."""
