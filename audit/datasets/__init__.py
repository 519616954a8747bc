"""Collections of images that others made, for training corpora and for `--images` alike."""
