"""Human labels: the draw of images, a sheet to fill in, and the sheet read back."""
