"""Collections of existing images, as training sets and for `--images`."""
