"""A run in the browser: a wall of its images, each image's own page, and the labelling queue."""
